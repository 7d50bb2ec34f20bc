"""Who looks at this page, where several people use one dashboard."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import streamlit as st

from zspag_core.errors import ForbiddenError
from zspag_core.visitors.classroom import is_shared, read_classroom
from zspag_core.visitors.passes import COOKIE, Visitor, read_pass, tidy_name

if TYPE_CHECKING:
    from zspag_core.visitors.classroom import Classroom


@st.cache_resource(show_spinner=False)
def classroom() -> Classroom:
    """Return what this shared dashboard holds to; the door reads it as often, when the server starts."""
    return read_classroom()


def visitor() -> Visitor | None:
    """Return who looks at this page; None where nobody has said so, or one person uses the dashboard alone."""
    if not is_shared():
        return None
    return logged_in() if classroom().login else read_pass(carried_pass(), classroom().secret)


def present_visitor() -> Visitor:
    """Return who looks at this page.

    Raises:
        ForbiddenError: nobody has said so.
    """
    found = visitor()
    if found is None:
        raise ForbiddenError("Join the class first: open the address that the teacher shows.")
    return found


def is_teacher() -> bool:
    """Tell whether whoever looks at this page has told the teacher's code."""
    found = visitor()
    return found is not None and found.teacher


def carried_pass() -> str:
    """Return the pass that the browser carries, empty where it has none."""
    return st.context.cookies.get(COOKIE) or ""


def logged_in() -> Visitor | None:
    """Return who has logged in by OpenID Connect; the provider's name for them, not their address, is their id."""
    if not st.user.get("is_logged_in"):
        return None
    identity = f"{st.user.get('iss', '')} {st.user.get('sub') or st.user.get('email')}"
    email = str(st.user.get("email") or "").lower()
    proved = st.user.get("email_verified") is not False
    name = tidy_name(str(st.user.get("name") or email or "Somebody"))
    return Visitor(sha256(identity.encode()).hexdigest()[:20], name, proved and email in classroom().teachers)
