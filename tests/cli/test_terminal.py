"""A conversation in a terminal, typed by hand: a pseudo terminal with the program behind it."""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import pytest
from support import BIN, MODEL, STORY, chat, environment

PROMPT = ">>> "
LIMIT_S = 60


class Terminal:
    def __init__(self, home, *flags):
        self.master, slave = pty.openpty()
        command = [BIN, "chat", str(MODEL), "--temperature", "0", *map(str, flags)]

        def own_terminal():  # so that Ctrl-C reaches the program
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        env = environment(home, TERM="xterm", COLUMNS="200")
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=env, preexec_fn=own_terminal, close_fds=True
        )
        os.close(slave)
        self.seen = ""  # everything since the last prompt

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)

    def _more(self, deadline):
        ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"nothing for a long time after {self.seen!r}"
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the program has ended
            data = b""
        self.seen += data.decode(errors="replace")
        return bool(data)

    def until(self, pattern):
        """What was shown up to a match of the pattern, without the terminal's control sequences."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r", "", self.seen)
            if found := re.search(pattern, plain):
                self.seen = plain[found.end() :]
                if pattern == PROMPT:
                    self._wait_for_the_editor(deadline)
                return plain[: found.start()]
            assert self._more(deadline), f"it ended after {plain!r} without {pattern!r}"

    def _wait_for_the_editor(self, deadline):
        """Until the line editor has taken over: the terminal would echo what is typed before that as well."""
        while termios.tcgetattr(self.master)[3] & termios.ECHO:
            assert time.monotonic() < deadline, "the terminal still echoes by itself behind a prompt"
            time.sleep(0.001)

    def send(self, text):
        os.write(self.master, text.encode())

    def say(self, line):
        """Types a line and returns what comes before the next prompt."""
        self.send(line + "\n")
        self.until(re.escape(line.split("\n")[-1]) + r"\s*\n")  # the echo
        return self.until(PROMPT).strip()

    def end(self):
        """The exit code; nothing else may be asked for before it."""
        deadline = time.monotonic() + LIMIT_S
        while self._more(deadline):
            pass
        return self.process.wait(LIMIT_S)


@pytest.fixture
def terminal(home, story):
    with Terminal(home) as t:
        t.until(PROMPT)
        yield t


def test_conversation(terminal, home):
    whole = chat(home, MODEL, prompt=STORY, tokens=400).out.strip()
    assert re.sub(r"\s+", "", terminal.say(STORY)) == re.sub(r"\s+", "", whole)
    stats = terminal.say("/stats")
    found = re.fullmatch(r"prefill: (\S+) tok/s, decode: (\S+) tok/s \((\d+) prompt tokens, (\d+) generated\)", stats)
    assert found, stats
    assert float(found[1]) > 0 and float(found[2]) > 0 and int(found[3]) > 5 and int(found[4]) > 10
    prompt_tokens = int(found[3])
    metrics = terminal.say("/metrics")
    assert "decode_tokens " in metrics and "kv_pages_free" in metrics
    # The second turn's prompt holds the first one; after /reset it does not.
    terminal.say("/set max_tokens=4")
    terminal.say("And then?")
    assert int(re.search(r"\((\d+) prompt", terminal.say("/stats"))[1]) > prompt_tokens + 20
    assert terminal.say("/reset")
    terminal.say(STORY)
    assert int(re.search(r"\((\d+) prompt", terminal.say("/stats"))[1]) == prompt_tokens
    terminal.send("/exit\n")
    assert terminal.end() == 0


def test_help_and_wrong_commands(terminal):
    text = terminal.say("/help")
    for word in ("/exit", "/stats", "/metrics", "/reset", "/set", "Ctrl-C"):
        assert word in text
    assert "/help" in terminal.say("/dance")
    assert "/help" in terminal.say("/set dance=1")
    assert "/help" in terminal.say("/set temperature=9")
    assert "/help" in terminal.say("/set max_tokens=-3")
    assert terminal.say("/set temperature=0;top_p=1;seed=3;max_tokens=5;stop=the,a") == ""
    terminal.send("\x04")  # Ctrl-D
    assert terminal.end() == 0


def test_set_changes_the_next_answer(terminal):
    terminal.say("/set max_tokens=5")
    terminal.say(STORY)
    assert "5 generated" in terminal.say("/stats")
    terminal.say("/reset")
    terminal.say("/set max_tokens=300;stop=there was")
    assert "there was" not in terminal.say(STORY)


def test_interrupt_ends_the_answer_and_not_the_program(home, story):
    with Terminal(home, "--threads", "1") as terminal:
        terminal.until(PROMPT)
        terminal.send("/set temperature=1.5;seed=1;max_tokens=480\n")
        terminal.until(PROMPT)
        terminal.send("Tell me a very long story\n")
        terminal.until(r"story\s*\n\s*\w")
        terminal.send("\x03")
        terminal.until(PROMPT)
        generated = int(re.search(r"(\d+) generated", terminal.say("/stats"))[1])
        assert generated < 480
        # Another answer, whole; then Ctrl-C at the prompt, which does no harm.
        terminal.say("/reset")
        terminal.say("/set temperature=0;max_tokens=6")
        terminal.say(STORY)
        assert "6 generated" in terminal.say("/stats")
        terminal.send("\x03")
        time.sleep(0.2)
        assert "/exit" in terminal.say("/help")
        terminal.send("/exit\n")
        assert terminal.end() == 0


def test_a_message_of_two_lines(terminal, home):
    terminal.send("Hi\x1b\rTell me a story\n")
    terminal.until(r"Tell me a story\s*\n")
    shown = terminal.until(PROMPT)
    expected = chat(home, MODEL, prompt="Hi\nTell me a story", tokens=400).out
    assert re.sub(r"\s+", "", shown) == re.sub(r"\s+", "", expected)


def test_history(terminal):
    terminal.say("/set max_tokens=3")
    terminal.send("\x1b[A")  # the line before
    terminal.until("max_tokens=3")
    terminal.send("\n")
    terminal.until(PROMPT)
    terminal.send("/exit\n")
    assert terminal.end() == 0


def test_a_conversation_that_outgrows_the_context(terminal):
    for _ in range(20):
        text = terminal.say(STORY)
        if "the context is full" in text or text.startswith("error:"):
            break
    else:
        pytest.fail("twenty stories fit into 512 tokens")
    text = terminal.say(STORY)
    assert text.startswith("error:") and "512" in text and text.count("\n") == 0, text
    terminal.say("/reset")
    assert not terminal.say(STORY).startswith("error:")


def test_terminated_from_outside(home, story):
    with Terminal(home) as terminal:
        terminal.until(PROMPT)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() != 0
