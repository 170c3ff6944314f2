from pamola_tasks import hookimpl


@hookimpl
def pamola_add_privacy_models():
    return {"kl-closeness": "acme_closeness.model:KLCloseness"}
