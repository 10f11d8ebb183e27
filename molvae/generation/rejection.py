"""Rejection sampling of molecules: which proposals are kept, which are made again, and why.

Every molecule to be has a slot; see `proposals`. Slots are filled in blocks, and judged in the
order of blocks, attempts and slots, so the same molecules come out in whatever batches the work is
done.
"""

import math
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import NamedTuple

import numpy as np

from molvae.arguments import MAX_BATCH, MAX_MOLECULES, MAX_SEED, as_molecules, whole_number
from molvae.chem.candidates import REPAIRED, Candidate, Checks, decode_and_check_all
from molvae.chem.cores import Core
from molvae.chem.filters import check_patterns, resolve_filter
from molvae.config import as_dict
from molvae.generation.model import LoadedModel
from molvae.generation.proposals import (
    POINTS,
    Codes,
    Proposal,
    Writer,
    propose,
    slot_random,
)
from molvae.generation.results import (
    Decoration,
    Generated,
    Generation,
    Summary,
    Values,
    control_errors,
    share,
)
from molvae.generation.tiles import TILE
from molvae.normalizer import Reading
from molvae.parallel.workers import Lost, map_chunks
from molvae.presets import DrawSettings
from molvae.targets import Request
from molvae.training_index import molecule_hash

BLOCK = 8192  # molecules of which all are found before the last try of the next is made
PIECE = 512  # slots proposed for before their chemistry begins: many tiles, whose rows follow on
CHUNK = 32  # proposals that a worker process takes at once
EXCLUDED = "excluded"
RARE_RING = "rare ring system"


class Kept(NamedTuple):
    """Cores that molecules must contain, none for any molecule, and the writer of the strings."""

    cores: Sequence[Core]
    write: Writer


class _Round(NamedTuple):
    """Proposals of one attempt whose chemistry is under way."""

    attempt: int
    proposals: list[Proposal]
    candidates: Iterable[Candidate]


class RejectionSampler:
    """One run: the molecules found so far, and what happened on the way.

    Args:
        model: the model.
        requests: what is asked; the slots share them out, so that the first n / k are for the first
            of k requests.
        settings: tier, filters, tries and how strings are decoded.
        n: molecules wanted.
        seed: of all randomness; None draws one.
        codes: source of latent codes; None: the model's prior.
        ood: for each request, whether the training set has nothing like it; None: decided by its
            properties one by one.
        excluded: canonical SMILES of molecules that are not wanted, as the training set spells
            them.
        given_rings: ring systems that are allowed although they are rare in training: of given
            molecules.
        kept: cores that the molecules must contain, which the slots share out as the requests, and
            the writer of strings with them.

    Raises:
        UsageError: for a filter that does not exist or a SMARTS pattern that is none.
    """

    def __init__(
        self,
        model: LoadedModel,
        requests: Sequence[Request],
        settings: DrawSettings,
        *,
        n: int,
        seed: int | None = None,
        codes: Codes | None = None,
        ood: Sequence[bool] | None = None,
        excluded: Iterable[str] = (),
        given_rings: Iterable[str] = (),
        kept: Kept | None = None,
    ) -> None:
        self.model, self.requests, self.settings = model, requests, settings
        self.n = whole_number("n", n, 1, MAX_MOLECULES)
        self.excluded = frozenset(as_molecules("exclude", excluded))
        self.rings = model.allowed_rings(settings, given_rings)
        drawn = secrets.randbelow(2**32) if seed is None else seed
        self.seed = whole_number("seed", drawn, 0, MAX_SEED)
        self.ood = ood or [bool(request.unfamiliar) for request in requests]
        self.propose = partial(propose, model, settings=settings, seed=self.seed, codes=codes)
        if kept is not None:
            self.propose = partial(self.propose, write=kept.write)
        self.kept = kept
        self.checks = _checks(model, settings)._replace(rings=self.rings is not None)
        self.found: dict[int, Generated] = {}
        self.candidates: dict[int, list[Generated]] = {}
        self.used: set[str] = set()
        self.first: list[str] = []
        self.draws = self.accepted_first = 0
        self.refusals: Counter[str] = Counter()  # of every proposal that is not among the found

    def run(
        self,
        executor: Executor | None = None,
        *,
        batch_size: int = 1024,
        report: Callable[[int], None] = lambda found: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Generation[Generated]:
        """Fill every slot, or spend its tries; return what was found, and how.

        The chemistry of some proposals goes on while the next are decoded: those of the same
        attempt, and the first ones of the next block, which depend on nothing that is still
        unknown.

        Args:
            executor: does the chemistry; None does it here.
            batch_size: slots whose chemistry is under way, at most, in whole tiles.
            report: called with the number of molecules found so far.
            should_stop: asked between hand-overs; true leaves the rest of the slots empty.
        """
        begun = time.monotonic()
        check = decode_and_check_all if executor is None else partial(_spread, executor)
        at_once = max(1, whole_number("batch_size", batch_size, 1, MAX_BATCH) // TILE) * TILE
        blocks = [range(begin, min(begin + BLOCK, self.n)) for begin in range(0, self.n, BLOCK)]
        firsts = [_pieces(block, at_once) for block in blocks]
        ahead: deque[_Round] = deque()
        for number, block in enumerate(blocks):
            rounds, ahead = ahead, deque()  # what is under way of this block, and of the next
            still_open = list(block)
            for attempt in range(self.settings.max_tries * self.settings.best_of):
                pieces = firsts[number] if attempt == 0 else _pieces(still_open, at_once)
                for piece in pieces:
                    if should_stop():
                        # Another run would find better ones for these rows: leave them out.
                        self.refusals["row not finished"] += sum(map(len, self.candidates.values()))
                        return self._result(time.monotonic() - begun)
                    rounds.append(self._hand_over(piece, attempt, check))
                    while _under_way(rounds) >= at_once:
                        self._judge_round(rounds.popleft(), report)
                if attempt == 0 and number + 1 < len(blocks):
                    while _under_way(ahead) < at_once and (more := next(firsts[number + 1], None)):
                        ahead.append(self._hand_over(more, 0, check))
                while rounds:
                    self._judge_round(rounds.popleft(), report)
                still_open = [slot for slot in still_open if slot not in self.found]
                if not still_open:
                    break
            for slot in still_open:  # fewer than --best-of were found: the best of those
                self._settle(slot)
        return self._result(time.monotonic() - begun)

    def _hand_over(self, slots: Sequence[int], attempt: int, check: "_Check") -> _Round:
        points = [
            self.request(slot).point(slot_random(self.seed, slot, 0, POINTS)) for slot in slots
        ]
        proposals = self.propose(slots, np.stack(points), attempt)
        work = [(each.symbols, self._checks_of(each.slot)) for each in proposals]
        return _Round(attempt, proposals, check(work))

    def _checks_of(self, slot: int) -> Checks:
        return self.checks if self.kept is None else self.checks._replace(core=self._core(slot))

    def _core(self, slot: int) -> Core | None:
        """Return the core that the molecule of this slot must contain."""
        cores = self.kept.cores if self.kept else ()
        return cores[slot * len(cores) // self.n] if cores else None

    def _judge_round(self, round: _Round, report: Callable[[int], None]) -> None:
        candidates = list(round.candidates)
        hashes = molecule_hash([each.identity for each in candidates])
        known = self.model.checkpoint.index.contains(hashes)
        for proposal, candidate, is_known in zip(round.proposals, candidates, known, strict=True):
            self._judge(proposal, candidate, round.attempt, novel=not is_known)
        report(len(self.found))

    def request(self, slot: int) -> Request:
        """Return what is asked of this slot."""
        return self.requests[self._number(slot)]

    def _number(self, slot: int) -> int:
        return slot * len(self.requests) // self.n

    def _judge(
        self, proposal: Proposal, candidate: Candidate, attempt: int, *, novel: bool
    ) -> None:
        """Take a proposal for its slot, or count why not."""
        self.draws += 1
        honest = candidate.consistent and proposal.ended
        if attempt == 0:
            self.accepted_first += honest
            self.first.append(candidate.smiles)
        refusal = candidate.refusal
        if self.rings is not None and not self.rings.issuperset(candidate.rings):
            refusal = RARE_RING
        if candidate.smiles and self.settings.tier == "consistent" and not honest:
            refusal = REPAIRED if proposal.ended else "did not end"
        if refusal:
            self.refusals[refusal] += 1
            return
        molecule = self._molecule(proposal, candidate, novel=novel)
        refusal = EXCLUDED if candidate.identity in self.excluded else self._unwanted(molecule)
        if refusal:
            self.refusals[refusal] += 1
            return
        self.candidates.setdefault(proposal.slot, []).append(molecule)
        if len(self.candidates[proposal.slot]) == self.settings.best_of:
            self._settle(proposal.slot)

    def _molecule(self, proposal: Proposal, candidate: Candidate, *, novel: bool) -> Generated:
        model, slot = self.model, proposal.slot
        core, decoration = self._core(slot), None
        if core is not None:
            parts = dict(candidate.parts)
            decoration = Decoration(core.text, candidate.decoration, parts, proposal.nll)
        return Generated(
            id=slot + 1,
            smiles=candidate.smiles,
            properties=Values(zip(model.measured, candidate.values, strict=True)),
            predicted={
                name: model.normalizer.reading(proposal.predicted, name) for name in model.labels
            },
            targets=self.request(slot).ranges,
            novel=novel,
            ood=self.ood[self._number(slot)],
            nll=proposal.nll + proposal.prefix_nll,
            decoration=decoration,
        )

    def _unwanted(self, molecule: Generated) -> str:
        settings = self.settings
        if self._must_be_unique and molecule.smiles in self.used:
            return "duplicate"
        if settings.novel and not molecule.novel:
            return "in the training set"
        if settings.in_range:
            missed = self._missed(molecule, within=settings.within)
            return f"{missed[0]} out of range" if missed else ""
        return ""

    def _missed(self, molecule: Generated, *, within: float) -> list[str]:
        return self.request(molecule.id - 1).missed(_values(molecule), within=within)

    @property
    def _must_be_unique(self) -> bool:
        return self.settings.tier == "consistent" and self.settings.unique

    def _settle(self, slot: int) -> None:
        """Keep the candidate that misses the fewest ranges, and of these the nearest.

        Nearness is to all targets, in standard deviations of the training set.
        """
        candidates = self.candidates.pop(slot, [])
        free = [c for c in candidates if not (self._must_be_unique and c.smiles in self.used)]
        self.refusals["duplicate"] += len(candidates) - len(free)
        if free:
            request = self.request(slot)

            def rank(candidate: Generated) -> tuple[int, float]:
                missed = self._missed(candidate, within=math.inf)
                return len(missed), request.distance(_values(candidate))

            best = min(free, key=rank)
            self.found[slot] = best
            self.used.add(best.smiles)
            self.refusals["another was nearer"] += len(free) - 1

    def _all_met(self, molecules: Sequence[Generated]) -> float:
        asked = [molecule for molecule in molecules if molecule.targets]
        within = self.settings.within
        return share(sum(not self._missed(each, within=within) for each in asked), len(asked))

    def _result(self, seconds: float) -> Generation[Generated]:
        molecules = [self.found[slot] for slot in sorted(self.found)]
        firsts = [smiles for smiles in self.first if smiles]
        settings, normalizer = self.settings, self.model.normalizer
        summary = Summary(
            tier=settings.tier if settings.best_of == 1 else f"reranked({settings.best_of})",
            requested=self.n,
            found=len(molecules),
            draws=self.draws,
            acceptance=share(self.accepted_first, len(self.first)),
            uniqueness=share(len(set(firsts)), len(firsts)),
            novelty=share(sum(molecule.novel for molecule in molecules), len(molecules)),
            index_error_rate=self.model.checkpoint.index.error_rate,
            refusals={reason: n for reason, n in self.refusals.most_common() if n},
            control=control_errors(molecules, normalizer.scales, normalizer.rates),
            all_met=self._all_met(molecules),
            seed=self.seed,
            model=self.model.name,
            settings=as_dict(settings),
            seconds=seconds,
        )
        return Generation(molecules, summary)


_Check = Callable[[list[tuple[list[str], Checks]]], Iterable[Candidate]]


def _spread(executor: Executor, work: list[tuple[list[str], Checks]]) -> Iterable[Candidate]:
    """Have an executor check proposals; the iterator returned waits for them, in order.

    A worker's death costs the one guilty proposal only.
    """
    return (
        Candidate("", False, refusal=found.reason) if isinstance(found, Lost) else found
        for _, found in map_chunks(decode_and_check_all, work, jobs=executor, chunk_size=CHUNK)
    )


def _values(molecule: Generated) -> Mapping[str, Reading]:
    """Return all that is known of a molecule by name: properties measured, labels predicted."""
    return {**molecule.predicted, **molecule.properties}


def _pieces(slots: Sequence[int], at_once: int) -> Iterator[Sequence[int]]:
    """Cut slots into pieces: small ones, so that the chemistry of the first begins early."""
    size = min(PIECE, at_once)
    return (slots[begin : begin + size] for begin in range(0, len(slots), size))


def _under_way(rounds: Iterable[_Round]) -> int:
    return sum(len(round.proposals) for round in rounds)


def _checks(model: LoadedModel, settings: DrawSettings) -> Checks:
    """Return what every proposal is checked for; a bad pattern is refused before any work."""
    patterns = (*settings.smarts, *settings.not_smarts)
    check_patterns(patterns, stereo=model.standardization.stereo)
    return Checks(
        model.measured,
        tuple(map(resolve_filter, settings.filters)),
        settings.smarts,
        settings.not_smarts,
        model.standardization,
        consistent_only=settings.tier == "consistent",
    )
