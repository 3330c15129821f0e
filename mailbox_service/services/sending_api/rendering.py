"""Templates: handlebars.js inside QuickJS, with nothing around it but the language itself.

A template comes from a user and its data from anybody, so one rendering has a time, a memory, a
stack and a size that it may use. What exceeds them is thrown away with its whole machine, and the
next rendering begins with a new one. The engine is loaded by the first template, in a thread of
its own: a machine belongs to the thread that made it.
"""

from __future__ import annotations

import asyncio
import json
import re
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
        if self._waiting >= MOST_WAITING:
            raise TemporaryFailure("Too many templates are being rendered. Try again soon.")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._thread, self._run, job)
        finally:
            self._waiting -= 1
        if "error" in answer:
            raise BadField(answer["field"] or next(iter(parts)), answer["error"])
        return dict(zip(parts, answer["results"], strict=False))

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: str) -> dict[str, Any]:
        """In the thread: one rendering, within its limits."""
        import quickjs  # type: ignore[import-untyped]

        if self._machine is None:
            self._machine = new_machine()
        try:
            self._machine.set_time_limit(SECONDS)
            answer: dict[str, Any] = json.loads(self._machine.get("render")(job))
        except (quickjs.JSException, quickjs.StackOverflow) as error:
            # It ran out of something: what is left of the machine is not to be trusted.
            self._machine = None
            return {"field": "", "error": f"The template takes too much ({first_line(error)})"}
        if "error" in answer:
            answer["error"] = first_line(answer["error"])
        return answer


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
