"""Answers computed from the conversation by fixed rules.

Nothing here is a model and nothing pretends to be: an answer repeats, counts, recalls or calculates what the messages
hold, and otherwise reflects the question back. The first rule that fits answers; the rules are in `RULES`, in order.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mtu_mcp.sandbox.arithmetic import calculate
from mtu_mcp.sandbox.tongues import read_prompt


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation as text. `asked` are the user's earlier messages, `question` the last one."""

    question: str
    asked: tuple[str, ...]
    said: tuple[str, ...]
    system: str
    results: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """Everything the user said, oldest first."""
        return (*self.asked, self.question)


def text_of(content: Any) -> str:
    """The text of a message's content, media left out."""
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = content or []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part.get("text"), str))


def read_talk(messages: Sequence[dict[str, Any]]) -> Talk:
    """Take the text out of checked messages."""
    by_role: dict[str, list[str]] = {}
    for message in messages:
        by_role.setdefault(message["role"], []).append(text_of(message.get("content")))
    asked = by_role.get("user", [])
    last = messages[-1]["role"] if messages else ""
    results: list[str] = []
    if last in {"tool", "function"}:
        for message in reversed(messages):
            if message["role"] not in {"tool", "function"}:
                break
            results.insert(0, text_of(message.get("content")))
    system = "\n".join(by_role.get("system", []) + by_role.get("developer", []))
    question = asked[-1] if asked else ""
    return Talk(question, tuple(asked[:-1]), tuple(by_role.get("assistant", [])), system, tuple(results))


_ECHO = re.compile(
    r"^\s*(?:please\s+)?(?:(?:repeat|echo|say)(?:\s+(?:exactly|after me|this|the following))*\s*[:：]\s*"
    r"|(?:reply|answer|respond)\s+(?:only\s+|just\s+)?with(?:\s+(?:exactly|only|just|the (?:word|text)))*\s*[:：]?\s*"
    r"|(?:请)?(?:重复|复述)[:：]?\s*)(.+)$",
    re.IGNORECASE | re.DOTALL,
)


def echo(talk: Talk) -> str | None:
    """Repeat what comes after "repeat:", "echo:", "reply with"."""
    found = _ECHO.match(talk.question)
    return found[1].strip().strip("\"'“”`") if found else None


def decline(talk: Talk) -> str:
    """Words of refusal when the question asks for one: "please refuse"."""
    asked = re.search(r"\bplease refuse\b|请拒绝", talk.question, re.IGNORECASE)
    return "I'm sorry, I cannot help with that. [embedded gateway]" if asked else ""


_NAME = re.compile(r"(?:my name is|i am called|call me|我(?:的名字)?(?:叫|是))\s*([^\s,.;!?，。！？]+)", re.IGNORECASE)
_FACT = re.compile(
    r"\b(?:my|our|the)\s+([\w][\w '-]{0,40}?)\s+(?:is|are|was|=)\s+([^.!?\n]+)|我(?:的)?([\w]{1,8}?)是([^。！？\n]+)",
    re.IGNORECASE,
)
_WHAT = re.compile(
    r"(?:what(?:'s| is| are| was| were)|which is|tell me|who(?:'s| is)|where(?:'s| is))\s+(?:my|our|the|your)\s+([\w][\w '-]*?)\s*[?.!]*$"
    r"|我(?:的)?([\w]{1,8}?)是(?:什么|谁|哪里)",
    re.IGNORECASE,
)


def recall_name(talk: Talk) -> str | None:
    """Say the name the user gave."""
    if not re.search(
        r"what(?:'s| is| was) my name|who am i|我叫什么|我的名字是什么|我是谁", talk.question, re.IGNORECASE
    ):
        return None
    names = [found[1] for text in talk.asked for found in _NAME.finditer(text)]
    return f"You told me your name is {names[-1]}." if names else "You have not told me your name."


def recall_fact(talk: Talk) -> str | None:
    """Say what "the X is Y" was, if an earlier message has it."""
    wanted = _WHAT.search(talk.question)
    if wanted is None:
        return None
    key = (wanted[1] or wanted[2]).lower()
    for text in reversed((talk.system, *talk.asked)):
        for found in reversed(list(_FACT.finditer(text))):
            name, value = (found[1] or found[3]).lower(), (found[2] or found[4]).strip()
            if name == key or name.endswith(" " + key) or key.endswith(" " + name):
                return f"You said that {name} is {value}."
    return None


def recall_order(talk: Talk) -> str | None:
    """Repeat the first or the previous message, or list all."""
    question = talk.question.lower()
    if re.search(r"(?:what did i (?:say|ask|tell you)|my) .{0,20}?first|第一(?:句|个问题)", question):
        return f'The first thing you said was: "{talk.told[0]}"'
    if re.search(
        r"what did i (?:just )?(?:say|ask)(?: you)? (?:before|last|just now|previously)|上一(?:句|个问题)", question
    ):
        return f'Before this you said: "{talk.asked[-1]}"' if talk.asked else "This is the first thing you have said."
    if re.search(r"(?:list|what) .{0,30}(?:i(?:'ve| have)? asked|my (?:questions|messages))|我问过", question):
        return "You have said:\n" + "\n".join(f"{place}. {text}" for place, text in enumerate(talk.told, 1))
    return None


def count(talk: Talk) -> str | None:
    """Count to a number, or the messages, words or letters there are."""
    question = talk.question
    if found := re.search(r"count (?:from 1 )?to (\d{1,4})\b|数到(\d{1,4})", question, re.IGNORECASE):
        return ", ".join(str(each) for each in range(1, int(found[1] or found[2]) + 1))
    if re.search(r"how many (?:messages|times|turns|questions)", question, re.IGNORECASE):
        told = f"{len(talk.told)} message{'' if len(talk.told) == 1 else 's'}"
        return f"You have sent {told}, this one included; I have answered {len(talk.said)}."
    found = re.search(
        r"(?:how many|count the) (words|letters|characters)[^:：\"“]*[:：\"“]\s*(.+?)[\"”]?\s*$",
        question,
        re.IGNORECASE | re.DOTALL,
    )
    if found is None:
        return None
    text = found[2].strip()
    number = len(text.split()) if found[1].lower() == "words" else len(re.sub(r"\s", "", text))
    return f"There are {number} {found[1].lower()} in it."


def compute(talk: Talk) -> str | None:
    """Work out a sum written in the question."""
    for found in re.finditer(r"[-(\d.][-+*/%^×÷().\d\s]*[\d)]", talk.question.replace(",", "")):
        value = calculate(found[0]) if re.search(r"\d\s*[-+*/%^×÷]", found[0]) else None
        if value is not None:
            return f"{found[0].strip()} = {value}"
    return None


def relay(talk: Talk) -> str | None:
    """Say what the tools answered."""
    if not talk.results:
        return None
    return "The tool answered: " + "; ".join(talk.results)


def reflect(talk: Talk) -> str:
    """Give the question back, and say plainly what this is."""
    words = len(talk.question.split()) or 0
    parts = [f'You asked: "{_clipped(talk.question)}".' if talk.question else "You asked nothing in words."]
    before = f"{len(talk.asked)} message{'' if len(talk.asked) == 1 else 's'}"
    parts.append(f"It has {words} word{'' if words == 1 else 's'}; you sent {before} before it.")
    if talk.system:
        parts.append(f'My instructions begin: "{_clipped(talk.system, 80)}"')
    parts.append("I am not a model: I can only repeat, recall, count and calculate.")
    return " ".join(parts)


def _clipped(text: str, length: int = 600) -> str:
    return text if len(text) <= length else text[:length] + "…"


def translate(talk: Talk) -> str | None:
    """Translate, word by word, what a prompt asks to translate."""
    return read_prompt(talk.system, talk.question)


RULES: tuple[Callable[[Talk], str | None], ...] = (
    relay,
    translate,
    echo,
    recall_name,
    recall_order,
    count,
    compute,
    recall_fact,
)


def answer(talk: Talk) -> str:
    """What to say, unsigned."""
    for rule in RULES:
        said = rule(talk)
        if said is not None:
            return said
    return reflect(talk)
