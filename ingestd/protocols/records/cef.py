"""ArcSight's Common Event Format: ``CEF:0|vendor|product|version|id|name|severity|key=value key=value``.

Follows "ArcSight Common Event Format (CEF) Implementation Standard", version 25. In the header, ``|`` and the backslash
are escaped; in values, ``=``, the backslash and line ends.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HEADER = ("deviceVendor", "deviceProduct", "deviceVersion", "deviceEventClassId", "name", "severity")

_SPLIT = re.compile(r"(?<!\\)(?:\\\\)*\|")
_KEY = re.compile(r"(?:^|(?<=\s))([A-Za-z0-9_.\-]+(?:\[[^\]\s=]*\])?)=")
_HEADER_ESCAPE = re.compile(r"\\([|\\])")
_VALUE_ESCAPE = re.compile(r"\\([=\\nr|])")
_VALUES = {"n": "\n", "r": "\r"}

KEYS = {
    "act": "deviceAction", "aeid": "agentEventId", "agt": "agentAddress", "ahost": "agentHostName", "aid": "agentId",
    "amac": "agentMacAddress", "app": "applicationProtocol", "art": "agentReceiptTime", "at": "agentType",
    "atz": "agentTimeZone", "av": "agentVersion", "cat": "deviceEventCategory", "catdt": "categoryDeviceType",
    "cnt": "baseEventCount", "dhost": "destinationHostName", "dlat": "destinationGeoLatitude",
    "dlong": "destinationGeoLongitude", "dmac": "destinationMacAddress", "dntdom": "destinationNtDomain",
    "dpid": "destinationProcessId", "dpriv": "destinationUserPrivileges", "dproc": "destinationProcessName",
    "dpt": "destinationPort", "dst": "destinationAddress", "dtz": "deviceTimeZone", "duid": "destinationUserId",
    "duser": "destinationUserName", "dvc": "deviceAddress", "dvchost": "deviceHostName", "dvcmac": "deviceMacAddress",
    "dvcpid": "deviceProcessId", "end": "endTime", "fileType": "fileType", "fname": "fileName", "fsize": "fileSize",
    "in": "bytesIn", "mrt": "managerReceiptTime", "msg": "message", "out": "bytesOut", "outcome": "eventOutcome",
    "proto": "transportProtocol", "request": "requestUrl", "rt": "deviceReceiptTime", "shost": "sourceHostName",
    "slat": "sourceGeoLatitude", "slong": "sourceGeoLongitude", "smac": "sourceMacAddress",
    "sntdom": "sourceNtDomain", "spid": "sourceProcessId", "spriv": "sourceUserPrivileges",
    "sproc": "sourceProcessName", "spt": "sourcePort", "src": "sourceAddress", "start": "startTime",
    "suid": "sourceUserId", "suser": "sourceUserName",
    **{f"cfp{n}": f"deviceCustomFloatingPoint{n}" for n in range(1, 5)},
    **{f"cfp{n}Label": f"deviceCustomFloatingPoint{n}Label" for n in range(1, 5)},
    **{f"c6a{n}": f"deviceCustomIPv6Address{n}" for n in range(1, 5)},
    **{f"c6a{n}Label": f"deviceCustomIPv6Address{n}Label" for n in range(1, 5)},
    **{f"cn{n}": f"deviceCustomNumber{n}" for n in range(1, 4)},
    **{f"cn{n}Label": f"deviceCustomNumber{n}Label" for n in range(1, 4)},
    **{f"cs{n}": f"deviceCustomString{n}" for n in range(1, 7)},
    **{f"cs{n}Label": f"deviceCustomString{n}Label" for n in range(1, 7)},
}  # fmt: skip
"""Short keys, and the full names of the standard."""

ECS = {
    "agentAddress": "[agent][ip]", "agentHostName": "[agent][name]", "agentId": "[agent][id]",
    "agentMacAddress": "[agent][mac]", "agentType": "[agent][type]", "agentVersion": "[agent][version]",
    "applicationProtocol": "[network][protocol]", "bytesIn": "[source][bytes]", "bytesOut": "[destination][bytes]",
    "destinationAddress": "[destination][ip]", "destinationDnsDomain": "[destination][registered_domain]",
    "destinationHostName": "[destination][domain]", "destinationMacAddress": "[destination][mac]",
    "destinationGeoLatitude": "[destination][geo][location][lat]",
    "destinationGeoLongitude": "[destination][geo][location][lon]",
    "destinationPort": "[destination][port]", "destinationProcessId": "[destination][process][pid]",
    "destinationProcessName": "[destination][process][name]",
    "destinationServiceName": "[destination][service][name]",
    "destinationTranslatedAddress": "[destination][nat][ip]", "destinationTranslatedPort": "[destination][nat][port]",
    "destinationUserId": "[destination][user][id]", "destinationUserName": "[destination][user][name]",
    "destinationUserPrivileges": "[destination][user][group][name]", "deviceAction": "[event][action]",
    "deviceAddress": "[observer][ip]", "deviceDirection": "[network][direction]",
    "deviceEventCategory": "[cef][category]", "deviceEventClassId": "[event][code]",
    "deviceExternalId": "[observer][name]", "deviceFacility": "[log][syslog][facility][code]",
    "deviceHostName": "[observer][hostname]", "deviceInboundInterface": "[observer][ingress][interface][name]",
    "deviceMacAddress": "[observer][mac]", "deviceOutboundInterface": "[observer][egress][interface][name]",
    "devicePayloadId": "[event][id]", "deviceProcessId": "[process][pid]", "deviceProcessName": "[process][name]",
    "deviceProduct": "[observer][product]", "deviceReceiptTime": "@timestamp", "deviceTimeZone": "[event][timezone]",
    "deviceVendor": "[observer][vendor]", "deviceVersion": "[observer][version]", "endTime": "[event][end]",
    "eventOutcome": "[event][outcome]", "fileHash": "[file][hash]", "fileId": "[file][inode]",
    "fileModificationTime": "[file][mtime]", "fileName": "[file][name]", "filePath": "[file][path]",
    "filePermission": "[file][group]", "fileSize": "[file][size]", "fileType": "[file][type]",
    "message": "message", "name": "[cef][name]", "rawEvent": "[event][original]", "reason": "[event][reason]",
    "requestClientApplication": "[user_agent][original]", "requestContext": "[http][request][referrer]",
    "requestMethod": "[http][request][method]", "requestUrl": "[url][original]", "severity": "[event][severity]",
    "sourceAddress": "[source][ip]", "sourceDnsDomain": "[source][registered_domain]",
    "sourceGeoLatitude": "[source][geo][location][lat]", "sourceGeoLongitude": "[source][geo][location][lon]",
    "sourceHostName": "[source][domain]", "sourceMacAddress": "[source][mac]", "sourcePort": "[source][port]",
    "sourceProcessId": "[source][process][pid]", "sourceProcessName": "[source][process][name]",
    "sourceServiceName": "[source][service][name]", "sourceTranslatedAddress": "[source][nat][ip]",
    "sourceTranslatedPort": "[source][nat][port]", "sourceUserId": "[source][user][id]",
    "sourceUserName": "[source][user][name]", "sourceUserPrivileges": "[source][user][group][name]",
    "startTime": "[event][start]", "transportProtocol": "[network][transport]",
}  # fmt: skip
"""Fields of the Elastic Common Schema for the full names; others are in ``[cef]``."""


class CefRecord(NamedTuple):
    """A record: what a syslog daemon wrote before it, its version, header and extension with the names of the text."""

    syslog: str
    version: str
    header: dict[str, str]
    extension: dict[str, str]


def parse_cef(text: str) -> CefRecord | None:
    """Return a record; None: it is none. Takes time linear in the length of the text."""
    start = text.find("CEF:")
    if start < 0:
        return None
    version, *rest = _header(text[start + 4 :])
    if len(rest) < len(HEADER):
        return None
    header = {name: _HEADER_ESCAPE.sub(r"\1", value) for name, value in zip(HEADER, rest, strict=False)}
    return CefRecord(text[:start].strip(), version, header, _extension(rest[len(HEADER)] if len(rest) > 6 else ""))


def _header(text: str) -> list[str]:
    """Return the version, the parts of the header, and the extension as it is."""
    parts, start = list[str](), 0
    for match in _SPLIT.finditer(text):
        parts.append(text[start : match.end() - 1])
        start = match.end()
        if len(parts) == 1 + len(HEADER):
            break
    return [*parts, text[start:]]


def _extension(text: str) -> dict[str, str]:
    keys = list(_KEY.finditer(text))
    ends = [*[match.start() for match in keys[1:]], len(text)] if keys else []
    return {
        match[1]: _VALUE_ESCAPE.sub(_unescaped, text[match.end() : end].strip())
        for match, end in zip(keys, ends, strict=True)
    }


def _unescaped(match: re.Match[str]) -> str:
    return _VALUES.get(match[1], match[1])


def header_text(text: str) -> str:
    """Return a part of a header, escaped; a line end becomes a blank."""
    return re.sub(r"[\r\n]+", " ", text.replace("\\", "\\\\").replace("|", "\\|"))


def value_text(text: str) -> str:
    """Return a value of the extension, escaped."""
    escaped = text.replace("\\", "\\\\").replace("=", "\\=")
    return escaped.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")
