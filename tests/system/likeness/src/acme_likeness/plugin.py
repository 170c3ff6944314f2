from pamola_tasks import hookimpl


@hookimpl
def pamola_add_privacy_models():
    return {"beta-likeness": "acme_likeness.model:BetaLikeness"}
