"""What judges and people say of traffic: cards, labels, cases, the quality both give together."""

import json
from typing import TYPE_CHECKING

from pointsman.client.opened import Opened

if TYPE_CHECKING:
    from pointsman.analytics.material import Material
    from pointsman.analytics.quality import JudgeErrors, TaskQuality
    from pointsman.domain.judges import JudgeSpec
    from pointsman.domain.records import OutcomeRecord
    from pointsman.evals.judging.card import Labelled, Seen
    from pointsman.evaluating.cards import JudgeCards
    from pointsman.evaluating.from_trace import CaseFromTrace
    from pointsman.evaluating.online import Waiting
    from pointsman.journal import JournalReader
    from pointsman.labelling.desk import LabelDesk


class Opinions(Opened):
    """Answers as judges and people see them."""

    def quality(
        self, *, since_us: int = 0, until_us: int | None = None, task: str | None = None
    ) -> "tuple[TaskQuality, ...]":
        """Of each task that judges or people looked at: its quality as people would call it."""
        from pointsman.analytics.quality import quality_of

        return quality_of(
            self._reports,
            tasks=self.config.tasks,
            since_us=since_us,
            until_us=until_us if until_us is not None else self._clock.now_us() + 1,
            task=task,
            errors=self._judge_errors(),
        )

    def _judge_errors(self) -> "dict[str, JudgeErrors]":
        """What the cards say that stand: the counts behind sensitivity and specificity."""
        from pointsman.analytics.quality import JudgeErrors
        from pointsman.evals.judging.standing import why_stale

        found = {}
        cards, now_us = self.judge_cards(), self._clock.now_us()
        for name in cards.judges():
            card, spec = cards.latest(name), self.config.judges.get(name)
            if card is None or spec is None or why_stale(card, spec, now_us=now_us):
                continue
            sens, spec_ = card.sensitivity, card.specificity
            found[name] = JudgeErrors(
                caught=round((sens.value or 0.0) * sens.n), positives=sens.n,
                cleared=round((spec_.value or 0.0) * spec_.n), negatives=spec_.n,
            )  # fmt: skip
        return found

    def case_from_trace(self, reference: str, *, needs_expected: bool = True) -> "CaseFromTrace":
        """One request as a case of a suite, de-identified, named by its trace or answer's id.

        Raises: NotFound; InvalidRequest where its words are gone, nobody accepted or edited its
            answer, or part of it cannot be looked at.
        """
        from pointsman.evaluating.from_trace import case_from_trace

        found = self._reports.query("find", {"references": [reference]})
        trace = str(found[0]["trace"]) if found else reference
        rows = self._reports.query("trace", {"trace": trace})
        name = next((json.loads(r["payload"]).get("task") for r in rows
                     if r["kind"] == "admission"), None)  # fmt: skip
        return case_from_trace(
            self._reports, trace, task=self.config.tasks.get(name or ""),
            now_us=self._clock.now_us(), needs_expected=needs_expected,
        )  # fmt: skip

    def labelled_traffic(
        self, spec: "JudgeSpec", *, since_us: int = 0
    ) -> "tuple[list[Labelled], int]":
        """Requests that people labelled and this judge looked at, for its card; and how many of
        them an earlier form of it looked at."""
        from pointsman.evaluating.calibrating import labelled_traffic

        until_us = self._clock.now_us() + 1
        return labelled_traffic(self._reports, spec, since_us=since_us, until_us=until_us)

    def material(self, reference: str) -> "Material":
        """What was asked and said in one request, named by its trace or answer's id.

        Raises: NotFound; InvalidRequest where its words are gone.
        """
        from pointsman.analytics.material import material_of

        found = self._reports.query("find", {"references": [reference]})
        return material_of(self._reports, str(found[0]["trace"]) if found else reference)

    @property
    def reports(self) -> "JournalReader":
        """What answers questions to the journal."""
        return self._reports

    def record(self, fact: "OutcomeRecord") -> None:
        """Write an outcome down that was made here: a judge's. Raises: JournalUnavailable."""
        from pointsman.journal import open_journal

        if self._journal is None:
            self._journal = open_journal(self.config.journal, path=self.root)
        self._journal.append(fact)

    def unjudged_traffic(
        self, task: str, spec: "JudgeSpec", *, sample: float = 1.0, since_us: int = 0
    ) -> "list[Waiting]":
        """Delivered answers of the sample that a judge did not look at yet."""
        from pointsman.evaluating.backfill import unjudged_traffic

        return unjudged_traffic(
            self._reports, task, spec, sample=sample, since_us=since_us,
            until_us=self._clock.now_us() + 1,
        )  # fmt: skip

    def verdicts(self, task: str | None = None) -> "dict[str, list[bool | None]]":
        """By judge: whether each request passes that several judges looked at; None: unjudged."""
        from pointsman.analytics.opinions import opinions_of
        from pointsman.evaluating.calibrating import passes

        said = opinions_of(self._reports.query("opinions", {"task": task})).values()
        several = [one for one in said if len(one.judged) > 1]
        names = sorted({name for one in several for name in one.judged} & set(self.config.judges))
        return {
            name: [passes(self.config.judges[name], one.judge_value(name)) for one in several]
            for name in names
        }

    def seen_lately(self, spec: "JudgeSpec", *, since_us: int = 0) -> "Seen":
        """What a judge looked at, in lengths and verdicts."""
        from pointsman.evaluating.calibrating import seen_lately

        until_us = self._clock.now_us() + 1
        return seen_lately(self._reports, spec, since_us=since_us, until_us=until_us)

    def judge_cards(self) -> "JudgeCards":
        """The cards of judges that were calibrated here."""
        from pointsman.evaluating.cards import JudgeCards

        return JudgeCards(self.root)

    def label_desk(self, *, writes: bool = True) -> "LabelDesk":
        """Where people label traffic; to look at only, where nobody writes.

        Raises: JournalUnavailable.
        """
        from pointsman.journal import open_journal
        from pointsman.labelling.desk import LabelDesk

        if self._journal is None and writes:
            self._journal = open_journal(self.config.journal, path=self.root)
        return LabelDesk(
            self._reports, self._journal, self.keys, self.config.tasks,
            now_us=self._clock.now_us, entropy=self._clock.entropy,
        )  # fmt: skip
