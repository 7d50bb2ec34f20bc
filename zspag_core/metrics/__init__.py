"""How well a model forgot: accuracy, membership inference, deep forgetting, and how good its proxies were."""

from zspag_core.metrics.accuracy import Accuracy, accuracy, mask_accuracy, percent
from zspag_core.metrics.backdoor import Backdoor, Triggered, planted_in, read_triggered, triggered_images
from zspag_core.metrics.deep import Relearning, anamnesis_index, probe, relearn, relearning
from zspag_core.metrics.grade import Grade, grade
from zspag_core.metrics.membership import (
    Membership,
    MembershipScores,
    SameClass,
    confidence_svc,
    entropy_svc,
    membership,
    same_class,
)
from zspag_core.metrics.predictions import Labelled, Outputs, logits_of, outputs_of, outputs_of_pixels
from zspag_core.metrics.proxy_quality import captured_energy, captured_energy_of_inputs, coverage, knn_agreement
from zspag_core.metrics.similarity import map_correlations, mean_correlation

__all__ = [
    "Accuracy",
    "Backdoor",
    "Grade",
    "Labelled",
    "Membership",
    "MembershipScores",
    "Outputs",
    "Relearning",
    "SameClass",
    "Triggered",
    "accuracy",
    "anamnesis_index",
    "captured_energy",
    "captured_energy_of_inputs",
    "confidence_svc",
    "coverage",
    "entropy_svc",
    "grade",
    "knn_agreement",
    "logits_of",
    "map_correlations",
    "mask_accuracy",
    "mean_correlation",
    "membership",
    "outputs_of",
    "outputs_of_pixels",
    "percent",
    "planted_in",
    "probe",
    "read_triggered",
    "relearn",
    "relearning",
    "same_class",
    "triggered_images",
]
