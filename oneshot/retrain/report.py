"""What a retraining gave: a summary, and the report for people."""

import math
from dataclasses import asdict

from oneshot.training.words import counted, duration


def summarize(job, training, cost, last, entry):
    """The findings, a dict of plain values that depend on nothing but the settings.

    `cost`: a Cost; `last`: the last row of the log, or None; `entry`: of the benchmark, or None.
    """
    epoch, top1 = training.best
    feed = job.feed
    return {
        "architecture": job.architecture.record,
        "settings": asdict(job.settings),
        "complete": training.epoch == training.epochs,
        "epochs": training.epoch,
        "steps": training.epoch * training.steps_an_epoch + training.batch,
        "images": {"train": feed.train_count, "test": feed.test_count, "classes": feed.classes},
        "cost": cost._asdict(),
        "result": last and _known(loss=last["test_loss"], top1=last["top1"], top5=last["top5"]),
        "ema": last and _known(top1=last["ema_top1"], top5=last["ema_top5"]),
        "best": {"epoch": epoch, "top1": top1} if epoch else None,
        "benchmark": entry and entry._asdict(),
    }


def _known(**values):
    """Those values that are numbers, others None; None where there is no accuracy at all."""
    if values["top1"] is None:
        return None
    return {
        name: None if value is None or not math.isfinite(value) else value for name, value in values.items()
    }


def print_summary(summary, seconds, processes=1):
    """The findings as text; `seconds`: that the epochs took."""
    settings, images = summary["settings"], summary["images"]
    done, whole = summary["epochs"], settings["epochs"]
    what = "validation" if settings["split"] == "half" else "test"
    epochs = counted(whole, "epoch") if done == whole else f"{done:,} of {counted(whole, 'epoch')}"
    print(
        f"an architecture of {settings['space']} on {settings['dataset']}:"
        f" {counted(settings['channels'], 'channel')} and {counted(settings['cells'], 'cell')}"
        f"{'' if settings['space'] == 'darts' else ' a stage'}"
    )
    print(
        f"{epochs}, {summary['steps']:,} steps, {images['train']:,} training and {images['test']:,} {what}"
        f" images; seed {settings['seed']}; {duration(seconds)}"
        f"{f' by {processes} processes' if processes > 1 else ''}\n"
    )
    cost = summary["cost"]
    params = f"{cost['params_without_auxiliary']:,}"
    if cost["params"] != cost["params_without_auxiliary"]:
        params += f", and {cost['params'] - cost['params_without_auxiliary']:,} of the auxiliary head"
    rows = [
        ("architecture", summary["architecture"]["text"]),
        ("parameters", params),
        ("multiply-adds", f"{cost['flops']:,} for an image"),
    ]
    for key, name in (("result", what), ("ema", "moving average")):
        if summary[key] is not None:
            rows.append((name, _shown(summary[key], what)))
    best = summary["best"]
    if best is not None:
        rows.append(
            (
                "best epoch",
                f"{best['top1']:.2f} % after epoch {best['epoch']:,}; chosen by these images, it is not a"
                " number to publish",
            )
        )
    rows += _of_benchmark(summary["benchmark"])
    for name, text in rows:
        print(f"{name:<15} {text}")


def _shown(accuracy, what):
    top5 = "" if accuracy["top5"] is None else f" (among the first five: {accuracy['top5']:.2f} %)"
    loss = "" if accuracy.get("loss") is None else f", loss {accuracy['loss']:.4f}"
    return f"{accuracy['top1']:.2f} % of the {what} images right{top5}{loss}"


def _of_benchmark(entry):
    if entry is None:
        return []
    seeds = f"mean of {entry['seeds']} seeds, {entry['least']:.2f} to {entry['greatest']:.2f}"
    if entry["seeds"] in (None, 1):
        seeds = "1 seed" if entry["seeds"] else "recorded as a mean"
    rows = [
        (
            "benchmark",
            f"{entry['mean']:.2f} % {entry['metric']} on {entry['dataset']} after {entry['protocol']} epochs"
            f" ({seeds})",
        )
    ]
    if entry["differs"]:
        rows.append(("", f"(trained otherwise than this: {', '.join(entry['differs'])})"))
    return rows
