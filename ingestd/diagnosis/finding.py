"""What a check finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ingestd.diagnosis.messages import fix_text, sentence


class Status(Enum):
    """How urgent a finding is: nothing to do, something unused, look at it some time, or something does not work."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FIX = "fix"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; its texts are in ``messages``.

    Attributes:
        status: How urgent it is.
        code: ``CHECK.RESULT``, the key of its texts.
        values: What the placeholders in the texts stand for.
    """

    status: Status
    code: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def check(self) -> str:
        """The name of the check."""
        return self.code.partition(".")[0]

    def text(self, language: str = "en") -> str:
        """Return one sentence for people, in ``en`` or ``ko``."""
        return sentence(self.code, self.values, language)

    def fix(self, language: str = "en") -> str:
        """Return what to do, of several lines if there is something to copy; empty: nothing."""
        return fix_text(self.code, self.values, language)

    def document(self, language: str = "en") -> dict[str, Any]:
        """Return the finding as JSON types."""
        return {
            "check": self.check,
            "code": self.code,
            "status": self.status.value,
            "text": self.text(language),
            "fix": self.fix(language),
            "values": dict(self.values),
        }


def diagnosis_document(findings: Sequence[Finding], language: str = "en") -> dict[str, Any]:
    """Return findings as JSON types; ``ok``: nothing has to be fixed."""
    return {"ok": is_healthy(findings), "findings": [finding.document(language) for finding in findings]}


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Return whether nothing has to be fixed; notes and warnings do not count."""
    return not any(finding.status is Status.FIX for finding in findings)
