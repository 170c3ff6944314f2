"""Which datasets and columns follow from which, rebuilt from a file of OpenLineage events.

python read_lineage.py DATA/processed/TASK/logs/openlineage.jsonl
"""

import json
import sys
from collections import defaultdict
from pathlib import Path


def read(path):
    """Edges from datasets to datasets with the job between them, and from columns to columns with how."""
    datasets, columns = defaultdict(set), defaultdict(dict)
    for line in Path(path).read_text("utf-8").splitlines():
        event = json.loads(line)
        if event.get("eventType") != "COMPLETE":
            continue
        job = event["job"]
        if job["facets"]["jobType"]["jobType"] != "STEP":
            continue  # the task's own run has the same datasets again
        for output in event["outputs"]:
            for given in event["inputs"]:
                datasets[given["name"], output["name"]].add(job["name"])
            lineage = output["facets"].get("columnLineage", {"fields": {}})
            for column, follows in lineage["fields"].items():
                for source in follows["inputFields"]:
                    (how,) = source["transformations"]
                    edge = (source["name"], source["field"]), (output["name"], column)
                    columns[edge][how["subtype"]] = how["masking"]
    return datasets, columns


if __name__ == "__main__":
    datasets, columns = read(sys.argv[1])
    for (source, target), jobs in sorted(datasets.items()):
        print(f"{source} -> {target}: {', '.join(sorted(jobs))}")
    for ((source, column), (target, written)), how in sorted(columns.items()):
        words = ", ".join(f"{kind} (masked)" if masked else kind for kind, masked in how.items())
        print(f"{source} {column} -> {target} {written}: {words}")
