"""CSV that keeps every column as text, in the place of the CSV that the framework brings."""

from pamola_tasks import Contribution, hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_dataset_formats():
    return {
        "csv": Contribution("acme_formats.text_csv:FORMAT", replaces="csv"),
        "spss": "not_installed_lib.reader:SPSS",
    }
