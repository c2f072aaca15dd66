"""Every private or undocumented name of Streamlit that FERScope uses, each with the reason. Seen in Streamlit 1.67.

None of them is part of Streamlit's public API, so any minor version may rename or remove it: pyproject.toml caps
Streamlit below the next one. To raise the cap, check this file and run the tests in `tests/workbench/ui` and those of
the browser.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st
from google.protobuf.message import DecodeError
from streamlit import config, net_util, runtime
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime import memory_session_storage
from streamlit.runtime.scriptrunner import StopException, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState
from streamlit.web.server.server_util import is_allowed_origin
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

__all__ = ["StopException", "is_allowed_origin", "is_host_allowed"]
# StopException: `st.stop` raises it; caught by app.py, which draws *Export* below a page that has stopped.
# is_allowed_origin, is_host_allowed: Streamlit's own reading of server.allowedHosts and the CORS settings, so that the
# gateway and Streamlit agree.

# ---- the running script


def session_id() -> str | None:
    """The id of the session of the running script, which uploads carry in their address; None outside of a script."""
    context = get_script_run_ctx()
    return context.session_id if context else None


def is_history_navigation() -> bool:
    """Whether this run was caused by the browser's back or forward button; no public function tells that."""
    context = get_script_run_ctx()
    return bool(context and context.is_history_navigation)


def restore_query_params() -> None:
    """Read the whole address again after back or forward: Streamlit drops keys that the page before used as well."""
    context = get_script_run_ctx()
    with context.session_state.query_params() as params:  # type: ignore[union-attr]
        params.populate_from_query_string(context.query_string)  # type: ignore[union-attr]
        params.set_initial_query_params_from_current()  # widgets take their first value from here


def fragment_id() -> str | None:
    """The id of the fragment that is running; None outside of one. Streamlit has no public name for it."""
    return ThreadState.get().fragment_id


def replace_query_params(values: Mapping[str, list[str]]) -> None:
    """Change query parameters before widgets that are bound to them are drawn; `st.query_params` refuses these."""
    with get_script_run_ctx().session_state.query_params() as params:  # type: ignore[union-attr]
        for key, several in values.items():
            params.set_with_no_forward_msg(key, several[0] if len(several) == 1 else several)
        params.set_initial_query_params_from_current()  # widgets take their first value from here
        st.query_params.update({key: several for key, several in values.items() if not params.is_bound(key)})


def is_bound(key: str) -> bool:
    """Whether a query parameter belongs to a widget (`bind="query-params"`)."""
    with get_script_run_ctx().session_state.query_params() as params:  # type: ignore[union-attr]
        return params.is_bound(key)


# ---- the server

UPLOAD = re.compile(r"/_stcore/upload_file/([\w-]+)/[\w-]+", re.ASCII)
"""Address of an upload, whose first part is the session."""
COMPONENT = "/component/"
"""Part of the address of a custom component, which Streamlit shows in a frame."""
MESSAGES = ("rerun_script", "stop_script", "file_urls_request", "app_heartbeat", "backend_operation_request")
"""What a visitor may send over a WebSocket; Streamlit would also empty the cache of all visitors, or run Git."""


def is_expected(data: bytes | None) -> bool:
    """Whether a message of a WebSocket is one of MESSAGES."""
    try:
        return BackMsg.FromString(data or b"").WhichOneof("type") in MESSAGES
    except DecodeError:
        return False


def held_uploads() -> Mapping[str, Mapping[str, Any]]:
    """Files in memory by session and id; Streamlit limits the size of a file, not the number of files."""
    return runtime.get_instance().uploaded_file_mgr.file_storage  # type: ignore[attr-defined]


def set_allowed_hosts(hosts: list[str]) -> None:
    """Set server.allowedHosts where no setting names any; `st.set_option` refuses options of the server."""
    if not config.get_option("server.allowedHosts"):
        config.set_option("server.allowedHosts", hosts)


def keep_sessions(count: int) -> None:
    """Keep so many sessions of visitors who have gone and may come back: 128 by default, and no setting changes it."""
    storage = memory_session_storage.MemorySessionStorage
    if isinstance(storage, type):
        memory_session_storage.MemorySessionStorage = partial(storage, count)  # type: ignore[misc]


def forbid_external_ip() -> None:
    """Keep Streamlit from requesting this computer's address of an outside host, for a foreign Origin header."""
    net_util.get_external_ip = _no_external_ip


def _no_external_ip() -> None:
    """Replacement of Streamlit's request to an outside host."""


# ---- the page in the browser

INDEX = Path(st.__file__).with_name("static") / "index.html"
"""The empty page that a browser loads first."""
BACKEND = "window.__streamlit = {BACKEND_BASE_URL: %s}"
"""JavaScript that tells the page's script where the server is, in place of trying addresses."""
CONNECTED = '[data-test-connection-state="CONNECTED"]'
"""Selector of the app once it is connected."""
SCROLL_UP = "<script>document.querySelector('[data-testid=\"stMain\"]').scrollTo({top: 0})</script>"
"""Scrolls to the top; Streamlit has no command for it."""
STYLE = """<style>
.stMainBlockContainer {padding: 4.2rem min(3rem, 5vw) 3rem} /* the toolbar begins below Streamlit's header */
[data-testid="stSidebarHeader"] {height: 3rem; margin-bottom: 0.3rem}
@media (min-width: 641px) {[data-testid="stSidebar"][data-collapsed="false"] {width: 14rem !important}}
[data-testid="stHeading"] h1 {padding-block: 0.3rem}
[data-testid="stSidebarNavItems"] :is(li, a) {margin-block: 0; padding-block: 0} /* all pages fit into 720 pixels */
[data-testid="stSidebarNavItems"] header {margin-block: 0; padding-block: 0.3rem 0}
.st-key-toolbar *:has([data-testid="stSelectbox"]) {min-width: 0} /* the network's name is cut first */
@media (max-width: 640px) { /* the network has its own row */
.st-key-toolbar {flex-wrap: wrap}
.st-key-choose-network, :has(> .st-key-choose-network) {display: contents}
.st-key-network {flex: 1 0 100%}}
.st-key-network input {text-overflow: ellipsis}
[role="tablist"] {flex-wrap: wrap; row-gap: 0} /* all tabs are seen, without scrolling */
[class*="st-key-unseen-"] {display: none}
[data-testid="stFileUploaderDropzone"] span {white-space: normal; overflow: visible} /* all formats, not cut */
[data-testid="stMarkdownContainer"]:has(> table) {overflow-x: auto} /* a wide table scrolls, not the page */
[data-testid="stMarkdownContainer"] :is(td, th) {padding: 0.15rem 0.5rem; font-size: 0.9rem}
@media (max-width: 640px) {[data-testid="stMarkdownContainer"] :is(td, th) {padding: 0.15rem 0.25rem}}
.js-plotly-plot .modebar-container {top: auto !important; bottom: 22px} /* below the image, not over it */
:is([data-testid^="stBaseButton-primary"]:enabled, [data-testid="stMultiSelect"] [data-tag],
[data-testid="stMultiSelect"] [data-tag] *) /* Streamlit's is always white */
{color: light-dark(#FFFFFF, #14161A) !important}
:is(a, button, summary, [role="combobox"], [data-testid="stMain"]):focus-visible,
label:has(input:is([type="checkbox"], [type="radio"], [type="range"]):focus-visible),
[data-testid="stNumberInputContainer"]:has(input:focus-visible)
{outline: 3px solid light-dark(#12504B, #99F2DC) !important; outline-offset: -1px}
/* Streamlit leaves the border between a button and the selected one to the selected one, though rows may wrap there */
[data-testid="stButtonGroup"] button[aria-checked="true"] {position: relative; z-index: 1}
[data-testid="stButtonGroup"] button[aria-checked="true"] + button
{border-left-color: color-mix(in srgb, currentColor 18%, transparent) !important}
[data-testid="stButtonGroup"] button:has(+ [aria-checked="true"])
{border-right-color: color-mix(in srgb, currentColor 18%, transparent) !important}
@media (prefers-reduced-motion: reduce) {*, ::before, ::after {animation-duration: 1ms !important;
animation-iteration-count: 1 !important; transition-duration: 1ms !important; scroll-behavior: auto !important}}
</style>"""
"""What no setting of the theme reaches."""
