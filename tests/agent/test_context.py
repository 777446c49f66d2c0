import asyncio
from collections.abc import AsyncGenerator

from agent.context import Conversation, estimate_tokens
from agent.llm.types import ChatEvent, Finished, LlmUnavailable, TextDelta, ToolCall
from tests.virtual_time import run

CALL = ToolCall("c1", "tell_time", "{}")


class FakeChat:
    """Writes a summary after a while, or fails."""

    def __init__(self, summary: str = "They talked.", after_s: float = 0.1) -> None:
        self.summary = summary
        self.after_s = after_s
        self.asked: list[list[dict[str, str]]] = []

    async def stream(self, messages, *, tools=()) -> AsyncGenerator[ChatEvent, None]:
        self.asked.append(list(messages))
        await asyncio.sleep(self.after_s)
        if not self.summary:
            raise LlmUnavailable("down", began=False)
        yield TextDelta(self.summary)
        yield Finished("stop")


def long_call(turns: int = 12, **settings) -> Conversation:
    conversation = Conversation("P", context_tokens=300, keep_messages=4, **settings)
    for turn in range(turns):
        conversation.add_user(f"question {turn} " + "word " * 5)
        conversation.add_agent(f"answer {turn} " + "word " * 5, interrupted=False)
    return conversation


def roles(conversation: Conversation) -> list[str]:
    return [message["role"] for message in conversation.messages()]


def contents(conversation: Conversation) -> list[str]:
    return [message["content"] for message in conversation.messages()]


def test_a_call_begins_with_the_prompt_and_the_examples():
    conversation = Conversation("Be kind.", examples=[("Hi", "Hello")])
    conversation.add_user("Who are you?")
    assert conversation.messages() == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Who are you?"},
    ]


def test_what_the_caller_says_in_a_row_is_one_message():
    conversation = Conversation("P")
    conversation.add_user("I want")
    conversation.add_agent("", interrupted=True)
    conversation.add_user("a table.")
    assert contents(conversation) == ["P", "I want a table."]


def test_what_the_caller_may_have_said_is_shown_and_not_remembered():
    conversation = Conversation("P", context_tokens=40)
    conversation.add_user("I want")
    before = conversation.messages()
    supposed = conversation.messages_with("a table " + "and a chair " * 30)
    assert supposed[-1]["content"].startswith("I want a table and a chair")
    assert conversation.messages() == before


def test_chinese_is_joined_without_a_space():
    conversation = Conversation("P")
    conversation.add_user("我想")
    conversation.add_user("订一张桌子。")
    assert contents(conversation) == ["P", "我想订一张桌子。"]


def test_a_greeting_follows_a_word_of_the_caller():
    conversation = Conversation("P", examples=[("Hi", "Hello")])
    conversation.add_agent("Welcome!", interrupted=False)
    assert roles(conversation) == ["system", "user", "assistant", "user", "assistant"]


def test_what_nobody_heard_leaves_no_trace():
    conversation = Conversation("P")
    conversation.add_agent("  ", interrupted=True)
    conversation.add_user(" ")
    assert roles(conversation) == ["system"]


def test_an_interrupted_answer_ends_in_a_dash():
    conversation = Conversation("P")
    conversation.add_user("Hi")
    conversation.add_agent("The price is, ", interrupted=True)
    assert contents(conversation)[-1] == "The price is—"


def test_a_tool_call_stands_right_before_its_result():
    conversation = Conversation("P")
    conversation.add_user("What time is it?")
    conversation.add_tool_exchange(CALL, "noon")
    conversation.add_agent("It is noon.", interrupted=False)
    assert roles(conversation) == ["system", "user", "assistant", "tool", "assistant"]
    call, result = conversation.messages()[2:4]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"] == "c1"
    assert result["content"] == "noon"


def test_a_cancelled_tool_has_a_result_that_says_so():
    conversation = Conversation("P")
    conversation.add_user("What time is it?")
    conversation.add_tool_exchange(CALL, None)
    assert "cancelled" in conversation.messages()[-1]["content"]


def test_chinese_counts_more_tokens_than_english_letters():
    assert estimate_tokens("你好你好你好你好你好") == 10
    assert estimate_tokens("helloworld") == 3


def test_a_short_call_needs_no_summary():
    assert not long_call(1).needs_summary()


def test_the_older_part_becomes_a_summary_and_the_newest_messages_stay():
    conversation = long_call(examples=[("Hi", "Hello")])
    newest = conversation.messages()[-4:]
    assert conversation.needs_summary()
    run(conversation.summarise(FakeChat("They counted.")))
    messages = conversation.messages()
    assert "They counted." in messages[0]["content"]
    assert messages[0]["content"].startswith("P\n")
    assert [message["content"] for message in messages[1:3]] == ["Hi", "Hello"]
    assert messages[3:] == newest
    assert not conversation.needs_summary()


def test_a_second_summary_is_told_of_the_first():
    conversation, chat = long_call(), FakeChat("They counted.")
    run(conversation.summarise(chat))
    for turn in range(10):
        conversation.add_user(f"more {turn} " + "word " * 5)
        conversation.add_agent("yes", interrupted=False)
    run(conversation.summarise(chat))
    assert "They counted." in chat.asked[1][-1]["content"]


def test_turns_during_a_summary_are_kept():
    conversation = long_call()

    async def talk_on() -> None:
        summary = asyncio.create_task(conversation.summarise(FakeChat(after_s=1)), name="summary")
        await asyncio.sleep(0.5)
        conversation.add_user("One more thing.")
        await summary

    run(talk_on())
    assert contents(conversation)[-1] == "One more thing."
    assert "They talked." in contents(conversation)[0]


def test_a_failed_or_late_summary_drops_the_oldest():
    for chat in (FakeChat(""), FakeChat(after_s=600)):
        conversation = long_call()
        newest = conversation.messages()[-4:]
        run(conversation.summarise(chat))
        assert conversation.messages() == [{"role": "system", "content": "P"}, *newest]


def test_a_cancelled_summary_changes_nothing():
    conversation = long_call()
    before = conversation.messages()

    async def hang_up() -> None:
        summary = asyncio.create_task(conversation.summarise(FakeChat(after_s=1)), name="summary")
        await asyncio.sleep(0.5)
        summary.cancel()
        await asyncio.gather(summary, return_exceptions=True)

    run(hang_up())
    assert conversation.messages() == before


def test_an_endless_summary_is_cut():
    conversation = long_call()
    run(conversation.summarise(FakeChat("word " * 5000)))
    assert len(contents(conversation)[0]) < 1000


def test_without_any_summary_the_size_is_bounded():
    conversation = long_call(turns=200)
    assert conversation.estimated_tokens() <= 300 * 1.25
    assert roles(conversation)[:2] == ["system", "user"]
    assert contents(conversation)[-1].startswith("answer 199")


def test_a_tool_use_is_never_parted_from_its_question_when_old_messages_go():
    conversation = Conversation("P", context_tokens=256, keep_messages=2)
    for turn in range(60):
        conversation.add_user(f"time {turn}?")
        conversation.add_tool_exchange(CALL, "noon " * 10)
        conversation.add_agent("Noon.", interrupted=False)
        assert roles(conversation)[1] == "user"
