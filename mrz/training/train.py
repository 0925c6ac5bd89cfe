"""The training loop (``python -m mrz.training --help``).

The same seed and number of steps give the same batches on any machine; torch's own sums may differ in the last bits between processors.
A run that was broken off goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mrz.training import degrade, fonts, glyphs, render
from mrz.training.net import LineNet, Shape

FONT = Path("/usr/share/fonts/opentype/ocr-b/OCRB.otf")
"""Debian's fonts-ocr-b. The other cuts of the package are held out."""
STEPS = 12_000
"""What two idle cores manage within twenty minutes."""
RATE, DECAY, WARM_UP, CLIP = 4e-3, 1e-3, 0.04, 5.0
MEMORY = 0.999
"""The model that is kept is a running mean of the trained one over about 1 / (1 - MEMORY) steps."""
CTC_FROM, CTC_WEIGHT = 0.5, 0.3
CHECKPOINT_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. ``loss``: ``frames`` (each frame's character is known), ``ctc`` (only the text is) or ``both``."""

    seed: int = 1
    steps: int = STEPS
    loss: str = "frames"
    shape: Shape = field(default_factory=Shape)
    recipe: render.Recipe = field(default_factory=render.Recipe)


class Batches(Dataset[tuple[torch.Tensor, torch.Tensor, list[str]]]):
    """The batches of a run by number; any process can make any of them."""

    def __init__(self, font: Path, plan: Plan) -> None:
        self._base = fonts.distances(glyphs.load(font))
        self._around = degrade.surroundings(plan.seed)
        self._plan = plan

    def __len__(self) -> int:
        return self._plan.steps

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
        made = render.batch(self._base, self._around, self._plan.recipe, self._plan.seed, index)
        return torch.from_numpy(made.images), torch.from_numpy(made.frames), made.texts


class Run:
    """Network, its running mean, optimiser and how far they are."""

    def __init__(self, plan: Plan) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.step, self.seconds = plan, 0, 0.0
        self.net = LineNet(plan.shape).to(memory_format=torch.channels_last)
        self.mean = copy.deepcopy(self.net).eval()
        self._optimiser = torch.optim.AdamW(self.net.parameters(), lr=RATE, weight_decay=DECAY)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(self._optimiser, RATE, total_steps=plan.steps + 1, pct_start=WARM_UP)

    def learn(self, images: torch.Tensor, frames: torch.Tensor, texts: list[str]) -> float:
        """One step; its loss."""
        self.net.train()
        logits = self.net(images.contiguous(memory_format=torch.channels_last))
        loss = self._loss(logits, frames, texts)
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self._optimiser.step()
        self._schedule.step()
        self._remember()
        self.step += 1
        return float(loss.detach())

    def _loss(self, logits: torch.Tensor, frames: torch.Tensor, texts: list[str]) -> torch.Tensor:
        by_frame = nn.functional.cross_entropy(logits.flatten(0, 1), frames.flatten(), ignore_index=render.IGNORED)
        if self.plan.loss == "frames" or (self.plan.loss == "both" and self.step < CTC_FROM * self.plan.steps):
            return by_frame
        by_text = _ctc(logits, texts)
        return by_text if self.plan.loss == "ctc" else by_frame + CTC_WEIGHT * by_text

    @torch.no_grad()
    def _remember(self) -> None:
        memory = min(MEMORY, (1 + self.step) / (10 + self.step))
        for kept, new in zip(self.mean.state_dict().values(), self.net.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - memory)

    def save(self, path: Path) -> None:
        """Whole or not at all: written beside and moved."""
        parts = {name: getattr(self, name).state_dict() for name in ("net", "mean", "_optimiser", "_schedule")}
        beside = path.with_suffix(".part")
        torch.save({**parts, "plan": asdict(self.plan), "step": self.step, "seconds": self.seconds}, beside)
        beside.replace(path)

    def restore(self, path: Path) -> None:
        """Raises ValueError where the checkpoint is of another plan."""
        saved = torch.load(path, weights_only=True)
        if saved["plan"] != asdict(self.plan):
            raise ValueError(f"{path} belongs to another plan: {saved['plan']}")
        for name in ("net", "mean", "_optimiser", "_schedule"):
            getattr(self, name).load_state_dict(saved[name])
        self.step, self.seconds = saved["step"], saved["seconds"]


def _ctc(logits: torch.Tensor, texts: list[str]) -> torch.Tensor:
    lengths = torch.tensor([len(text) for text in texts])
    targets = torch.tensor([index for text in texts for index in fonts.index_of(text)])
    frames = torch.full((len(texts),), logits.shape[1])
    by_character: torch.Tensor = nn.functional.ctc_loss(
        logits.log_softmax(2).transpose(0, 1), targets, frames, lengths, blank=render.BLANK, zero_infinity=True
    )
    return by_character


def train(plan: Plan, font: Path, checkpoint: Path) -> Run:
    """Go on from ``checkpoint`` where it exists, to the plan's end. Prints how it goes."""
    cv2.setNumThreads(
        1
    )  # or the threads that OpenCV has started are missing in the loader's forked processes, which then wait for ever
    torch.set_num_threads(1)  # the other core makes batches; two threads that wait for each other are slower than one
    run = Run(plan)
    if checkpoint.exists():
        run.restore(checkpoint)
    start = time.monotonic() - run.seconds
    saved, losses = time.monotonic(), list[float]()
    for images, frames, texts in _loader(plan, font, run.step):
        losses.append(run.learn(images, frames, texts))
        run.seconds = time.monotonic() - start
        if run.step % 200 == 0:
            print(f"step {run.step}/{plan.steps} loss {sum(losses) / len(losses):.4f} {run.seconds:.0f} s", flush=True)
            losses.clear()
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            run.save(checkpoint)
            saved = time.monotonic()
    run.save(checkpoint)
    return run


def _loader(plan: Plan, font: Path, first: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, list[str]]]:
    order = itertools.islice(range(plan.steps), first, None)
    return iter(DataLoader(Batches(font, plan), batch_size=None, sampler=list(order), num_workers=2, prefetch_factor=8))


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the checkpoint; a run that was broken off goes on from it"
    )
    parser.add_argument("--font", type=Path, default=FONT)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--loss", choices=("frames", "ctc", "both"), default="frames")
    parser.add_argument("--width", type=float, default=1.0, help="channels, as a multiple of the shipped model's")
    parser.add_argument("--reach", type=int, default=1, help="columns read at once")
    parser.add_argument("--mixes", type=int, default=3, help="how often neighbouring columns are mixed")
    parser.add_argument("--smallest", type=float, default=6.0, help="least height of a capital in captured pixels")
    parser.add_argument("--warp", type=float, default=1.0, help="0: the font as it is; 1: as shipped")
    parser.add_argument("--empty", type=float, default=0.04, help="share of strips without text")


def from_options(options: argparse.Namespace) -> Run:
    """Train as the command line says."""
    recipe = render.Recipe(smallest=options.smallest, warp=options.warp, empty=options.empty)
    shape = Shape(width=options.width, reach=options.reach, mixes=options.mixes)
    plan = Plan(seed=options.seed, steps=options.steps, loss=options.loss, shape=shape, recipe=recipe)
    options.out.mkdir(parents=True, exist_ok=True)
    return train(plan, options.font, options.out / "checkpoint.pt")
