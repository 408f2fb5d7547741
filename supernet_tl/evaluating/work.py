"""Do one job of an evaluation, in whatever process or node it was sent to, and leave its outcome."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

import zoo_store
from supernet_tl import adapters
from supernet_tl.adapt import search_supernet, train_final
from supernet_tl.choosing.choose import select_entry
from supernet_tl.choosing.probing import Prober
from supernet_tl.control import Control
from supernet_tl.data import ImageSet
from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.job import Job
from supernet_tl.evaluating.measure import curve_of, measure_baseline, measure_run
from supernet_tl.evaluating.outcomes import Outcomes
from supernet_tl.evaluating.told_settings import recipe_of
from supernet_tl.prepared_data import PreparedData
from supernet_tl.pretraining import pretrain
from supernet_tl.recipe import Recipe
from supernet_tl.run_folder import run_folder
from supernet_tl.zoos import open_zoo
from zoo_store.environment import OFFLINE_SWITCH


@dataclass(frozen=True)
class Workplace:
    """Where a worker finds and leaves things; plain values, so that it can be sent to another node.

    Attributes:
        outcomes: address of the outcomes.
        zoo: address of the zoo of pretrained sources.
        work: local folder for what a job leaves while it runs; removed when it is finished.
        device: as :class:`supernet_tl.Control` takes it.
        num_threads: of PyTorch on a CPU; its own choice when absent.
        skip_corrupt: leave unreadable images out instead of refusing the set.
        drop_small_classes: leave classes with fewer than four images out.
        loader_workers: processes that make batches, as ``Control.workers``.
        offline: ask no network.
        storage_options: of outcomes and zoo, where they are URLs.
    """

    outcomes: str
    zoo: str
    work: str
    device: str = "auto"
    num_threads: int | None = None
    skip_corrupt: bool = False
    drop_small_classes: bool = False
    loader_workers: int | None = None
    offline: bool = False
    storage_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reading(self) -> tuple[bool, bool]:
        """How image sets are opened: whether unreadable images and small classes are left out."""
        return self.skip_corrupt, self.drop_small_classes

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def perform(payload: Mapping[str, Any]) -> None:
    """Do the job of a payload, unless it is finished, and leave its outcome; what executors call.

    Args:
        payload: ``job`` as :meth:`Job.to_dict` gives it, and ``workplace`` as :meth:`Workplace.to_dict` does.

    Raises:
        Exception: whatever kept the job from being done.
    """
    job, place = Job.from_dict(payload["job"]), _at_own_device(Workplace(**payload["workplace"]))
    if place.num_threads is not None:
        torch.set_num_threads(place.num_threads)
    if place.offline:
        os.environ[OFFLINE_SWITCH] = "1"
    outcomes = Outcomes(place.outcomes, place.storage_options)
    if job.name in outcomes:  # by a worker that outlived its driver
        return
    wall, processor = time.perf_counter(), time.process_time()
    result = _KINDS[job.kind](_Bench(job, place, outcomes))
    outcomes.put(
        job,
        {
            "result": result,
            "seconds": round(time.perf_counter() - wall, 3),
            "cpu_seconds": round(time.process_time() - processor, 3),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(place.device),
            "versions": adapters.library_versions(),
        },
    )
    shutil.rmtree(Path(place.work) / job.name, ignore_errors=True)


def _at_own_device(place: Workplace) -> Workplace:
    """Several workers of one machine share its GPUs evenly; Ray shows each worker its own."""
    worker, count = os.environ.get("SUPERNET_TL_WORKER"), torch.cuda.device_count()
    if place.device != "auto" or worker is None or count < 2:
        return place
    return replace(place, device=f"cuda:{int(worker) % count}")


def machine(device: str) -> dict[str, Any]:
    """What the numbers were made on."""
    found = adapters.torch_device(device)
    if found.type == "cuda":
        chip = torch.cuda.get_device_name(found)
    else:
        chip = f"{found.type}, {torch.backends.cpu.get_cpu_capability()}"
    return {"device": chip, "threads": torch.get_num_threads()}


@dataclass(frozen=True)
class _Bench:
    """A job on the bench, with what it needs at hand."""

    job: Job
    place: Workplace
    outcomes: Outcomes

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.job.spec

    @property
    def control(self) -> Control:
        place = self.place
        return Control(place.device, quiet=True, workers=place.loader_workers, health=False)

    @property
    def recipe(self) -> Recipe:
        return recipe_of(self.spec["settings"])

    @property
    def folder(self) -> Path:
        return Path(self.place.work) / self.job.name

    @property
    def settings(self) -> dict[str, Any]:
        """What the folder of the job's run is recognised by."""
        return {"job": self.job.name}

    def zoo(self, *, to_write: bool = False) -> zoo_store.Zoo:
        options = self.place.storage_options if "://" in self.place.zoo else None
        return open_zoo(self.place.zoo, to_write=to_write, storage_options=options)

    def target(self) -> ImageSet:
        return _checked(self.spec["target"], self.spec["fingerprints"][0], self.place.reading)

    def data(self, recipe: Recipe) -> PreparedData:
        """Split and decoded images; kept, for the next job is often on the same."""
        names = ("image_size", "in_channels", "seed", "test_frac", "validation_frac", "max_search_images", "shots")
        settings = tuple((name, getattr(recipe, name)) for name in names)
        return _prepared(self.spec["target"], self.spec["fingerprints"][0], self.place.reading, settings)

    def result_of(self, name: str) -> dict[str, Any]:
        result: dict[str, Any] = self.outcomes.get(name)["result"]
        return result

    def start(self) -> tuple[str | None, zoo_store.ZooEntry | None]:
        """The pretraining that the run starts from, and its entry; None for scratch."""
        start = self.spec["start"]
        if start["from"] == "scratch":
            return None, None
        name = start["job"] if start["from"] == "pretrained" else self.result_of(start["job"])["chosen_job"]
        if name is None:
            return None, None
        return name, entry_of(self.zoo(), name, self.result_of(name))


def entry_of(zoo: zoo_store.Zoo, name: str, pretrained: Mapping[str, Any]) -> zoo_store.ZooEntry:
    """The entry that a finished pretraining left.

    Raises:
        EvaluationError: the zoo does not hold it any more.
    """
    try:
        return zoo.get(pretrained["entry"])
    except (zoo_store.EntryNotFoundError, zoo_store.ZooNotFoundError) as error:
        raise EvaluationError(missing_entries(zoo, [name])) from error


def missing_entries(zoo: zoo_store.Zoo, names: list[str]) -> str:
    """What to say of finished pretrainings whose entries the zoo does not hold."""
    listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return (
        f"the zoo {zoo.address!r} does not hold the entries of {len(names)} finished pretraining jobs ({listed}); "
        "expected the zoo that the evaluation was begun with. Give it with --zoo, or repeat the command with "
        "--pretrain-missing to make them anew."
    )


def _pretrain(bench: _Bench) -> dict[str, Any]:
    spec = bench.spec
    pairs = zip(spec["sources"], spec["fingerprints"], strict=True)
    sources = [_checked(source, fingerprint, bench.place.reading) for source, fingerprint in pairs]
    entry = pretrain(
        sources,
        bench.zoo(to_write=True),
        mixture=len(sources) > 1,
        output=bench.folder,
        control=bench.control,
        **bench.recipe.pretraining_settings(),
        embedder=bench.recipe.embedder,
    )
    assert isinstance(entry, zoo_store.ZooEntry)  # a list is made of several sources that are not mixed
    card = entry.card
    kept = {name: card.get(name) for name in ("metrics", "timings", "genotype", "num_classes")}
    return {"entry": zoo_store.content_id(entry), **kept, "num_images": [len(images) for images in sources]}


def _select(bench: _Bench) -> dict[str, Any]:
    spec, recipe, control, zoo = bench.spec, bench.recipe, bench.control, bench.zoo()
    jobs = {bench.result_of(name)["entry"]: name for name in spec["among"].values()}
    sources = {name: source for source, name in spec["among"].items()}
    images = bench.target()
    with run_folder(bench.folder, "select", bench.settings) as run:
        started = time.perf_counter()
        splits = control.split(images, recipe)
        prober = Prober(run, zoo, images, splits, recipe, control)
        sketch = adapters.sketch_of([images], [splits], recipe, control.device)
        found = select_entry(zoo, sketch, spec["select"], recipe, {}, prober=prober, among=tuple(jobs))
        seconds = time.perf_counter() - started - prober.wall_seconds

    def source_of(entry_id: str | None) -> str | None:
        return None if entry_id is None else sources[jobs[entry_id]]

    return {
        "chosen": source_of(found.entry_id),
        "chosen_job": None if found.entry_id is None else jobs[found.entry_id],
        "reason": found.reason,
        "distance": found.ranking.distance,
        "rows_compared": found.ranking.rows_compared,
        "ranking": [{"source": source_of(entry_id), **one.to_dict()} for entry_id, one in found.ranking],
        "left_out": {source_of(entry_id): reason for entry_id, reason in found.excluded.items() if entry_id in jobs},
        "probes": [{"source": source_of(one.name), "accuracy": one.accuracy} for one in found.probes],
        "selection_seconds": seconds,
        "probe_seconds": prober.search_seconds,
    }


def _run(bench: _Bench) -> dict[str, Any]:
    recipe, control = bench.recipe, bench.control
    name, entry = bench.start()
    data = bench.data(recipe)
    with run_folder(bench.folder, "run", bench.settings) as run:
        searched = search_supernet(run, data, recipe, control, source=entry)
        trained = train_final(run, data, recipe, control, searched)
        result = measure_run(data, recipe, searched, trained, control.device, bench.spec["measure"])
    start = None if name is None else {"job": name, "tags": bench.outcomes.get(name)["tags"]}
    return {"start": start, **result}


def _baseline(bench: _Bench) -> dict[str, Any]:
    spec, recipe, given = bench.spec, bench.recipe, dict(bench.spec["baseline"])
    chosen = bench.result_of(spec["selection"])
    like = spec["like"].get(chosen["chosen"], spec["else_like"])
    own = bench.result_of(like)
    size = given.pop("image_size")
    limits: dict[str, Any] = (
        {"max_parameters": own["network"]["num_parameters"], "epochs": recipe.epochs}
        if spec["arm"] == "timm_parameters"
        else {
            "seconds": own["seconds"]["search"]
            + own["seconds"].get("projection", 0.0)
            + own["seconds"]["finetune"]
            + chosen["selection_seconds"]
            + chosen["probe_seconds"]
        }
    )
    data = bench.data(recipe.replace(image_size=size))
    folder = bench.folder
    folder.mkdir(parents=True, exist_ok=True)
    from supernet_tl.baselines import finetune_pretrained  # timm is slow to import, and few jobs need it

    found = finetune_pretrained(folder, data, recipe, bench.control, **given, **limits)
    return {
        "like": like,
        "limits": limits,
        "image_size": size,
        **measure_baseline(found, data, bench.place.device, spec["measure"]),
        "curve": curve_of(found.rows),
    }


_KINDS: Mapping[str, Callable[[_Bench], dict[str, Any]]] = {
    "pretrain": _pretrain,
    "select": _select,
    "run": _run,
    "baseline": _baseline,
}


def _checked(dataset: str, fingerprint: str | None, reading: tuple[bool, bool]) -> ImageSet:
    """An image set, whose images are those that the job was planned for."""
    images = _opened(dataset, reading)
    if fingerprint is not None and images.fingerprint() != fingerprint:
        _opened.cache_clear()
        raise EvaluationError(
            f"{dataset} holds other images here than when the evaluation was planned (fingerprint "
            f"{images.fingerprint()[:12]}, expected {fingerprint[:12]}). Repeat the command, so that it is planned "
            "with the images there are now; on several nodes, give each the same images."
        )
    return images


@lru_cache(maxsize=32)
def _opened(dataset: str, reading: tuple[bool, bool]) -> ImageSet:
    skip_corrupt, drop_small_classes = reading
    return Control(quiet=True, skip_corrupt=skip_corrupt, drop_small_classes=drop_small_classes).open(dataset)


@lru_cache(maxsize=2)
def _prepared(
    dataset: str, fingerprint: str | None, reading: tuple[bool, bool], settings: tuple[tuple[str, Any], ...]
) -> PreparedData:
    return Control(quiet=True).prepare(_checked(dataset, fingerprint, reading), Recipe(**dict(settings)))
