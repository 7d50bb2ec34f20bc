"""Short answers that a page needs and that only a process with torch can give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.progress import SILENT
from zspag_core.tasks.pictures import to_data_url

if TYPE_CHECKING:
    from zspag_core.data import DataSet
    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter


def describe_engine(_job: Job | None = None, _report: Reporter = SILENT) -> dict[str, Any]:
    """Return the methods with the schemas of their settings, how models are trained, and the devices there are.

    Returns:
        {"methods": [{"name", "title", "needs_retain", "parameters" (schema), "basic" (names shown before the fold),
        "presets": {name: settings}, "beginning" (names of the settings that what can be made ahead depends on)}],
        "attacks": {name: [settings that it reads]}, "training": what _describe_training
        returns, "devices": [names]}
    """
    import torch

    from zspag_core.attacks.catalogue import attack_entries
    from zspag_core.hyperparameters import basic_names, schema
    from zspag_core.methods import METHODS
    from zspag_core.methods.catalogue import find_entry
    from zspag_core.methods.shared_stages import beginning_settings

    methods = [
        {
            "name": kind.name,
            "title": find_entry(kind.name).title,
            "needs_retain": kind.needs_retain,
            "parameters": schema(kind),
            "basic": list(basic_names(kind)),
            "presets": {"default": {}} | find_entry(kind.name).all_presets,
            "beginning": sorted(beginning_settings(kind.name)),
        }
        for kind in METHODS
    ]
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    attacks = {name: list(entry.settings.values()) for name, entry in attack_entries().items()}
    devices = ["auto", "cpu", *cuda, *mps]
    return {"methods": methods, "attacks": attacks, "training": _describe_training(), "devices": devices}


def _describe_training() -> dict[str, Any]:
    """Return the settings of a training, and what suits each model: by data set, "" standing for all others."""
    from zspag_core.hyperparameters import schema, values
    from zspag_core.models import MODELS
    from zspag_core.recipes import HANDED_DATA, Recipe, recipe_for

    suited = {model: {data: values(recipe_for(data, model, {})) for data in (*HANDED_DATA, "")} for model in MODELS}
    return {"parameters": schema(Recipe), "suited": suited}


def describe_checkpoint(job: Job, report: Reporter = SILENT) -> dict[str, Any]:
    """Return what a model is, and a picture and image counts of every class of its data set.

    Args:
        job: its config is {"checkpoint": path}.
        report: receives progress when model and data are loaded.

    Returns:
        {"architecture", "parameters", "image_size", "data", "test_accuracy", "classes": [{"name", "picture" (data URL
        of a PNG), "train", "test" (image counts)}]}
    """
    from zspag_core.tasks.model_cache import cached_checkpoint, cached_dataset

    report.progress("load", 0, 2)
    loaded = cached_checkpoint(str(job.config["checkpoint"]))
    config = loaded.model.config
    report.progress("load", 1, 2)
    source = str(loaded.about["data"])
    data = cached_dataset(source, loaded)
    return {
        "architecture": loaded.model.architecture,
        "parameters": sum(parameter.numel() for parameter in loaded.model.parameters()),
        "image_size": config.image_size,
        "data": source,
        "test_accuracy": loaded.about.get("test_accuracy"),
        "classes": [describe_class(data, label) for label in range(data.num_classes)],
    }


def describe_class(data: DataSet, label: int) -> dict[str, Any]:
    """Return name, image counts and the first test picture of a class; None for one that there is no image of."""
    train, test = data.train.of_classes([label]), data.test.of_classes([label])
    examples = test if len(test) else train
    return {
        "name": data.class_names[label],
        "picture": to_data_url(examples.images[0]) if len(examples) else None,
        "train": len(train),
        "test": len(test),
    }
