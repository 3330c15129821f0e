"""Templates: handlebars.js inside QuickJS, with nothing around it but the language itself.

A template comes from a user and its data from anybody, so one rendering has a time, a memory, a
stack and a size that it may use. What exceeds them is thrown away with its whole machine, and the
next rendering begins with a new one. The engine is loaded by the first template, in a thread of
its own: a machine belongs to the thread that made it.

The way to that thread and back costs half as much as a common template. So one that was quick
there is rendered by a second machine on the event loop itself, with a limit of milliseconds;
whatever takes longer goes back to the thread, and nothing is tried on the loop for a while.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.core.sending_api import BadField

# CPU seconds of one rendering. An honest one takes a tenth of a millisecond; a loop within a loop
# within a loop would take hours.
SECONDS = 1.0
# Octets of the machine: handlebars itself takes three million, a mail with a table some more.
MEMORY = 64 << 20
STACK = 512 << 10
# Characters of a result: a mail of this size is refused by most of the world.
LONGEST_RESULT = 10 << 20
# Characters of one template, and of the JSON of its data.
LONGEST_TEMPLATE = 1 << 20
LONGEST_DATA = 4 << 20
# Compiled templates a machine keeps, by their text.
KEPT = 500
# What the event loop may render by itself: what took this long in the thread at most, with values
# of so many characters; there it has some milliseconds, since nothing else moves meanwhile.
QUICK_SECONDS = 0.001
QUICK_LIMIT = 0.01
QUICK_VALUES = 16_384
# After something took longer a machine is thrown away and a new one is made, which takes longer
# than any rendering: so the loop has rest from it.
REST_SECONDS = 10.0
# Renderings that wait: behind these nobody would wait any more.
MOST_WAITING = 256

# The parts are rendered together: one crossing into the machine a message. Escaping is for HTML
# alone. `console` is not there, so `{{log}}` says nothing; no partial is ever registered.
PROGRAM = """
(function () {
  var kept = new Map();
  var options = {
    html: {knownHelpersOnly: true, knownHelpers: {}},
    plain: {knownHelpersOnly: true, knownHelpers: {}, noEscape: true}
  };
  var quiet = {allowProtoPropertiesByDefault: false, allowProtoMethodsByDefault: false};
  function compiled(source, kind) {
    var key = kind + source;
    var found = kept.get(key);
    if (!found) {
      Handlebars.parse(source);
      found = Handlebars.compile(source, options[kind]);
      if (kept.size >= KEPT) kept.clear();
      kept.set(key, found);
    }
    return found;
  }
  globalThis.render = function (job) {
    var asked = JSON.parse(job), data = asked.data, results = [], room = ROOM;
    for (var i = 0; i < asked.parts.length; i++) {
      var part = asked.parts[i];
      try {
        if (asked.dry) { Handlebars.precompile(part[2], options[part[1]]); continue; }
        var text = compiled(part[2], part[1])(data, quiet);
        room -= text.length;
        if (room < 0) throw new Error("The result is too long");
        results.push(text);
      } catch (error) {
        if (error instanceof InternalError) throw error;
        return JSON.stringify({field: part[0], error: String(error && error.message || error)});
      }
    }
    return JSON.stringify({results: results});
  };
  Handlebars.logger.level = 99;
})();
""".replace("KEPT", str(KEPT)).replace("ROOM", str(LONGEST_RESULT))

_UNSAFE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class Rendering:
    """Renders templates, one at a time, in a thread that is started by the first."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="templates")
        self._machine: Any = None
        self._waiting = 0
        # The machine of the event loop, what it may render, and when it may be used again.
        self._here: Any = None
        self._quick: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._rests_until = 0.0

    async def render(
        self, parts: Mapping[str, tuple[str, str]], data: Mapping[str, Any]
    ) -> dict[str, str]:
        """The texts of several templates over the same data. `parts` is by the name of a field:
        the kind (`html`, or `plain` without escaping) and the template.

        Raises BadField naming the field for a template that is none or takes too much.
        """
        return await self._ask(parts, data, dry=False)

    async def check(self, parts: Mapping[str, tuple[str, str]]) -> None:
        """Raises BadField naming the field for a template that cannot be compiled."""
        if parts:
            await self._ask(parts, {}, dry=True)

    async def _ask(
        self, parts: Mapping[str, tuple[str, str]], data: Mapping[str, Any], *, dry: bool
    ) -> dict[str, str]:
        for name, (_, source) in parts.items():
            if len(source) > LONGEST_TEMPLATE:
                raise BadField(name, f"The template is longer than {LONGEST_TEMPLATE} characters")
        try:
            told = [[name, kind, source] for name, (kind, source) in parts.items()]
            job = json.dumps({"parts": told, "data": data, "dry": dry})
        except (ValueError, RecursionError):
            raise BadField("template_data", "The data cannot be read") from None
        if len(job) > LONGEST_DATA + LONGEST_TEMPLATE * len(parts):
            raise BadField("template_data", f"The data is longer than {LONGEST_DATA} characters")
        key = tuple(source for _, source in parts.values())
        quick = not dry and key in self._quick
        if quick and len(job) - sum(map(len, key)) <= QUICK_VALUES:
            here = self._run_here(key, job)
            if here is not None:
                return texts_of(parts, here)
        if self._waiting >= MOST_WAITING:
            raise TemporaryFailure("Too many templates are being rendered. Try again soon.")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            answer, seconds = await loop.run_in_executor(self._thread, self._run, job)
        finally:
            self._waiting -= 1
        if not dry and seconds <= QUICK_SECONDS and "error" not in answer:
            self._quick[key] = None
            if len(self._quick) > KEPT:
                self._quick.popitem(last=False)
        return texts_of(parts, answer)

    def _run_here(self, key: tuple[str, ...], job: str) -> dict[str, Any] | None:
        """One rendering on the event loop; None when it has to be done in the thread."""
        now = time.monotonic()
        if now < self._rests_until:
            return None
        if self._here is None:
            self._here = new_machine()
        try:
            return answer_of(self._here, job, QUICK_LIMIT)
        except RanOut:
            self._here = None
            self._rests_until = now + REST_SECONDS
            del self._quick[key]
            return None

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: str) -> tuple[dict[str, Any], float]:
        """In the thread: one rendering, within its limits, and the seconds that it took."""
        if self._machine is None:
            self._machine = new_machine()
        began = time.thread_time()
        try:
            answer = answer_of(self._machine, job, SECONDS)
        except RanOut as error:
            self._machine = None
            answer = {"field": "", "error": f"The template takes too much ({error})"}
        return answer, time.thread_time() - began


class RanOut(Exception):
    """A machine ran out of something: what is left of it is not to be trusted."""


def answer_of(machine: Any, job: str, seconds: float) -> dict[str, Any]:
    """What a machine makes of a job within so many seconds. Raises RanOut."""
    import quickjs  # type: ignore[import-untyped]

    try:
        machine.set_time_limit(seconds)
        answer: dict[str, Any] = json.loads(machine.get("render")(job))
    except (quickjs.JSException, quickjs.StackOverflow) as error:
        raise RanOut(first_line(error)) from None
    if "error" in answer:
        answer["error"] = first_line(answer["error"])
    return answer


def texts_of(parts: Mapping[str, tuple[str, str]], answer: Mapping[str, Any]) -> dict[str, str]:
    """The text of each part. Raises BadField."""
    if "error" in answer:
        raise BadField(answer["field"] or next(iter(parts)), answer["error"])
    return dict(zip(parts, answer["results"], strict=False))


def new_machine() -> Any:
    """A machine with handlebars.js in it, and nothing else."""
    import quickjs

    library = files("mailbox_service.services.sending_api") / "handlebars" / "handlebars.min.js"
    machine = quickjs.Context()
    machine.set_memory_limit(MEMORY)
    machine.set_max_stack_size(STACK)
    machine.eval(library.read_text("utf-8"))
    machine.eval(PROGRAM)
    return machine


def first_line(error: object) -> str:
    """What an error says, on one line and without what only programmers want."""
    return _UNSAFE.sub(" ", str(error)).split("\n    at ")[0].replace("\n", " ").strip()[:500]
