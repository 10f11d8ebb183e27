"""From draws to molecules: which are kept, which are drawn again, and why.

Every molecule to be has a slot. A slot's randomness depends on the seed, its number and the
attempt alone, so the same molecules come out in whatever batches the work is done.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from molvae.chem.candidates import REPAIRED, Candidate, Checks
from molvae.chem.filters import FILTERS, asks_for_stereo
from molvae.chem.smiles import DEFAULT_STANDARDIZATION, Standardization
from molvae.config import GenerateConfig, as_dict
from molvae.errors import UsageError, did_you_mean
from molvae.generation.results import Generated, Generation, Summary, control_errors, share
from molvae.normalizer import PropertyNormalizer, Reading
from molvae.targets import Wanted, choose_point, is_hit, miss, unfamiliar
from molvae.training_index import BloomFilter, molecule_hash

BLOCK = 8192  # molecules of which all are found before the last try of the next is made
PIECE = 512  # slots written before their chemistry begins: many tiles, whose rows follow on
NOISE, TOKENS, POINTS = range(3)  # purposes of a slot's randomness
EXCLUDED = "excluded"


class Draw(NamedTuple):
    """One string that the decoder wrote for one slot.

    Attributes:
        slot: the molecule to be, counted from 0.
        symbols: SELFIES symbols.
        ended: whether the decoder ended it, rather than the cap on its length.
        nll: -log p(x given z, c), nats.
        predicted: the properties as the model's own head reads them, in their units, by column.
    """

    slot: int
    symbols: list[str]
    ended: bool
    nll: float
    predicted: Mapping[str, float]


class _Round(NamedTuple):
    """Draws of one attempt whose chemistry is under way."""

    attempt: int
    draws: list[Draw]
    candidates: Iterable[Candidate]


Write = Callable[[Sequence[int], np.ndarray, int], list[Draw]]
Examine = Callable[[list[tuple[list[str], Checks]]], Iterable[Candidate]]


class Drawing:
    """One run: the molecules found so far, and what happened on the way.

    Args:
        write: writes one string for each of some slots: (slots (S,), values asked for in their
            units (S, P), attempt) -> S draws.
        n: molecules wanted.
        asked: the requests that the slots share out among them.
        config: tier, filters, tries.
        seed: of all randomness.
        normalizer: names and scale of the model's properties.
        index: the training set.
        measured: the properties that can be computed from a structure.
        standardization: of the training set, so that novelty compares like with like.
        ood: for each request, whether the training set has nothing like it; None: not known.
        excluded: canonical SMILES of molecules that are not wanted, as the training set spells
            them.

    Raises:
        UsageError: for a filter that does not exist or a SMARTS pattern that is none.
    """

    def __init__(
        self,
        write: Write,
        n: int,
        asked: Sequence[Mapping[str, Wanted]],
        *,
        config: GenerateConfig,
        seed: int,
        normalizer: PropertyNormalizer,
        index: BloomFilter,
        measured: Sequence[str],
        standardization: Standardization = DEFAULT_STANDARDIZATION,
        ood: Sequence[bool] | None = None,
        excluded: Iterable[str] = (),
    ) -> None:
        self.excluded = frozenset(excluded)
        self.write, self.n, self.asked = write, n, asked
        self.ood = ood or [bool(unfamiliar(request, normalizer)) for request in asked]
        self.config, self.seed = config, seed
        self.normalizer, self.index, self.measured = normalizer, index, tuple(measured)
        self.labels = tuple(name for name in normalizer.quantities if name not in self.measured)
        self.scale = normalizer.scales
        filters = tuple(_known_filter(name) for name in config.filters)
        self.checks = Checks(
            self.measured,
            filters,
            config.smarts,
            config.not_smarts,
            standardization,
            consistent_only=config.tier == "consistent",
        )
        for pattern in (*config.smarts, *config.not_smarts):  # a bad one is told before any work
            if asks_for_stereo(pattern) and not standardization.stereo:
                raise UsageError(
                    f"the pattern {pattern} asks for stereochemistry, and the model's molecules"
                    " have none: leave its marks out (@, / and \\), or train on what `molvae"
                    " prepare --stereo` wrote."
                )
        self.found: dict[int, Generated] = {}
        self.candidates: dict[int, list[Generated]] = {}
        self.used: set[str] = set()
        self.first: list[str] = []
        self.draws = self.accepted_first = 0
        self.refusals: Counter[str] = Counter()  # of every draw that is not among the found

    def run(
        self,
        examine: Examine,
        *,
        at_once: int,
        report: Callable[[int], None],
        should_stop: Callable[[], bool],
    ) -> None:
        """Fill every slot, or spend its tries.

        The chemistry of some draws goes on while the next are written: those of the same attempt,
        and the first ones of the next block, which depend on nothing that is still unknown. What
        comes back is judged in the order of blocks, attempts and slots all the same.

        Args:
            examine: does the chemistry, in order; what it returns may still be under way.
            at_once: slots whose chemistry is under way, at most.
            report: called with the number of molecules found so far.
            should_stop: asked between hand-overs; true leaves the rest of the slots empty.
        """
        blocks = [range(begin, min(begin + BLOCK, self.n)) for begin in range(0, self.n, BLOCK)]
        firsts = [_pieces(block, at_once) for block in blocks]
        ahead: deque[_Round] = deque()
        for number, block in enumerate(blocks):
            rounds, ahead = ahead, deque()  # what is under way of this block, and of the next
            still_open = list(block)
            for attempt in range(self.config.max_tries * self.config.best_of):
                pieces = firsts[number] if attempt == 0 else _pieces(still_open, at_once)
                for piece in pieces:
                    if should_stop():
                        # Another run would find better ones for these rows: leave them out.
                        self.refusals["row not finished"] += sum(map(len, self.candidates.values()))
                        return
                    rounds.append(self._hand_over(piece, attempt, examine))
                    while _under_way(rounds) >= at_once:
                        self._judge_round(rounds.popleft(), report)
                if attempt == 0 and number + 1 < len(blocks):
                    while _under_way(ahead) < at_once and (more := next(firsts[number + 1], None)):
                        ahead.append(self._hand_over(more, 0, examine))
                while rounds:
                    self._judge_round(rounds.popleft(), report)
                still_open = [slot for slot in still_open if slot not in self.found]
                if not still_open:
                    break
            for slot in still_open:  # fewer than --best-of were found: the best of those
                self._settle(slot)

    def _hand_over(self, slots: Sequence[int], attempt: int, examine: Examine) -> "_Round":
        draws = self.write(slots, np.stack([self._point(slot) for slot in slots]), attempt)
        return _Round(attempt, draws, examine([(draw.symbols, self.checks) for draw in draws]))

    def _judge_round(self, round: "_Round", report: Callable[[int], None]) -> None:
        candidates = list(round.candidates)
        known = self.index.contains(molecule_hash([each.identity for each in candidates]))
        for draw, candidate, is_known in zip(round.draws, candidates, known, strict=True):
            self._judge(draw, candidate, round.attempt, novel=not is_known)
        report(len(self.found))

    def request(self, slot: int) -> Mapping[str, Wanted]:
        """Return what is asked of this slot."""
        return self.asked[self._number(slot)]

    def _number(self, slot: int) -> int:
        return slot * len(self.asked) // self.n

    def _point(self, slot: int) -> np.ndarray:
        random = slot_random(self.seed, slot, 0, POINTS)
        return choose_point(self.request(slot), self.normalizer, random)

    def _judge(self, draw: Draw, candidate: Candidate, attempt: int, *, novel: bool) -> None:
        """Take a draw for its slot, or count why not."""
        self.draws += 1
        honest = candidate.consistent and draw.ended
        if attempt == 0:
            self.accepted_first += honest
            self.first.append(candidate.smiles)
        refusal = candidate.refusal
        if candidate.smiles and self.config.tier == "consistent" and not honest:
            refusal = REPAIRED if draw.ended else "did not end"
        if refusal:
            self.refusals[refusal] += 1
            return
        molecule = self._molecule(draw, candidate, novel=novel)
        refusal = EXCLUDED if candidate.identity in self.excluded else self._unwanted(molecule)
        if refusal:
            self.refusals[refusal] += 1
            return
        self.candidates.setdefault(draw.slot, []).append(molecule)
        if len(self.candidates[draw.slot]) == self.config.best_of:
            self._settle(draw.slot)

    def _molecule(self, draw: Draw, candidate: Candidate, *, novel: bool) -> Generated:
        request = self.request(draw.slot)
        return Generated(
            id=draw.slot + 1,
            smiles=candidate.smiles,
            properties=dict(zip(self.measured, candidate.values, strict=True)),
            predicted={name: self.normalizer.reading(draw.predicted, name) for name in self.labels},
            targets=request,
            novel=novel,
            ood=self.ood[self._number(draw.slot)],
            nll=draw.nll,
        )

    def _unwanted(self, molecule: Generated) -> str:
        config = self.config
        if config.tier == "consistent" and config.unique and molecule.smiles in self.used:
            return "duplicate"
        if config.novel and not molecule.novel:
            return "in the training set"
        if config.in_range:
            # No molecule hits a point exactly: points say where to aim, ranges what to keep.
            off = [
                name
                for name, got in self._asked(molecule).items()
                if not is_hit(got, molecule.targets[name], tolerance=math.inf)
            ]
            if off:
                return f"{off[0]} out of range"
        return ""

    def _asked(self, molecule: Generated) -> dict[str, Reading]:
        """Return what is known of a molecule's asked properties, in the order of its targets."""
        known = {**molecule.predicted, **molecule.properties}
        return {name: known[name] for name in molecule.targets if name in known}

    def _distance(self, molecule: Generated) -> float:
        """Return how far a molecule is from its targets, in variances of the training set."""
        return sum(
            (miss(got, molecule.targets[name]) / self.scale[name]) ** 2
            for name, got in self._asked(molecule).items()
        )

    def _settle(self, slot: int) -> None:
        """Keep the candidate nearest to its targets, in standard deviations of the training set."""
        candidates = self.candidates.pop(slot, [])
        found_elsewhere = 0
        if self.config.tier == "consistent" and self.config.unique:
            free = [c for c in candidates if c.smiles not in self.used]
            found_elsewhere = len(candidates) - len(free)
            candidates = free
        self.refusals["duplicate"] += found_elsewhere
        if candidates:
            best = min(candidates, key=self._distance)
            self.found[slot] = best
            self.used.add(best.smiles)
            self.refusals["another was nearer"] += len(candidates) - 1

    def result(self, *, model: str, seconds: float) -> Generation:
        """Return what was found and how.

        Args:
            model: short hash of the model.
            seconds: that the run took.
        """
        molecules = [self.found[slot] for slot in sorted(self.found)]
        firsts = [smiles for smiles in self.first if smiles]
        config = self.config
        summary = Summary(
            tier=config.tier if config.best_of == 1 else f"reranked({config.best_of})",
            requested=self.n,
            found=len(molecules),
            draws=self.draws,
            acceptance=share(self.accepted_first, len(self.first)),
            uniqueness=share(len(set(firsts)), len(firsts)),
            novelty=share(sum(molecule.novel for molecule in molecules), len(molecules)),
            index_error_rate=self.index.error_rate,
            refusals={reason: n for reason, n in self.refusals.most_common() if n},
            control=control_errors(molecules, self.scale),
            seed=self.seed,
            model=model,
            settings=as_dict(config),
            seconds=seconds,
        )
        return Generation(molecules, summary)


def _pieces(slots: Sequence[int], at_once: int) -> Iterator[Sequence[int]]:
    """Cut slots into pieces: small ones, so that the chemistry of the first begins early."""
    size = min(PIECE, at_once)
    return (slots[begin : begin + size] for begin in range(0, len(slots), size))


def _under_way(rounds: Iterable[_Round]) -> int:
    return sum(len(round.draws) for round in rounds)


def slot_random(seed: int, slot: int, attempt: int, purpose: int) -> np.random.Generator:
    """Return the source of one slot's randomness: independent of every other's, in any order."""
    counter = [0, purpose, attempt, slot]
    return np.random.Generator(np.random.Philox(key=seed % 2**64, counter=counter))


def _known_filter(name: str) -> str:
    by_lower = {known.lower(): known for known in FILTERS}
    if name.lower() not in by_lower:
        raise UsageError(
            f"unknown filter '{name}'{did_you_mean(name, FILTERS) or '.'}"
            f" Known: {', '.join(FILTERS)}."
        )
    return by_lower[name.lower()]
