"""Addresses of e-mails as people write them: ``Kim <kim@example.org>``, RFC 5322, section 3.4."""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.utils import getaddresses, unquote

_BARE = re.compile(
    r"""("[^"]+"|[^\s"@<>,;:()\[\]\\]+)           # the name of a mailbox, which may be in quotes
        (@([^\s"@<>,;:()\[\]\\]+|\[[^\s\]]+\]))?  # of a user of the server itself there is no more""",
    re.VERBOSE,
)


def address_mistake(text: str) -> str:
    """Return what is wrong with the text of one address, empty if nothing is."""
    found = getaddresses([text])
    if text.isprintable() and "=?" not in text:  # an encoded word (RFC 2047) may hide line feeds
        if len(found) > 1 and all("@" in address for _, address in found):
            return f"{text!r} has more than one address: each is a text of its own, in quotes"
        if len(found) == 1 and _is_one(text, *found[0]):
            return ""
    if "<" in text:
        return f'{text!r} is not an e-mail address: a name with a comma or bracket has quotes, "Ops, Web" <ops@...>'
    return f"{text!r} is not an e-mail address: write ops@example.org, or Name <ops@example.org>"


def _is_one(text: str, name: str, address: str) -> bool:
    is_whole = bool(name) or text.strip("<> ") == address  # else something was left out
    return is_whole and _BARE.fullmatch(address) is not None


def mailbox(text: str) -> Address:
    """Return the address that a text has, see `address_mistake`; its domain is in ASCII, if it can be (RFC 5890)."""
    ((name, address), *_) = getaddresses([text]) or [("", "")]
    user, _, domain = address.rpartition("@") if "@" in address else (address, "", "")
    return Address(name, unquote(user), _ascii(domain))


def _ascii(domain: str) -> str:
    try:
        found = domain.encode("idna").decode()
        is_same = found.encode().decode("idna") == domain.lower()  # not what Python takes for another one, as with ß
    except UnicodeError:
        return domain
    return found if is_same else domain
