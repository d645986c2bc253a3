"""The one definition of the conversation format: special tokens and the Jinja template."""

BOS, END, USER, ASSISTANT, SYSTEM, PAD = "<|bos|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|pad|>"
SPECIAL_TOKENS = [BOS, END, USER, ASSISTANT, SYSTEM, PAD]  # ids 0..5
CONTEXT = 512

CHAT_TEMPLATE = (
    "{{ '<|bos|>' }}"
    "{% for message in messages %}"
    "{% if message['role'] in ['system', 'user', 'assistant'] %}"
    "{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)


def render(messages):
    """Pieces (text, is_answer) of a conversation; joined they equal the template's output."""
    pieces = [(BOS, False)]
    for role, content in messages:
        pieces.append((f"<|{role}|>\n", False))
        pieces.append((content + END, role == "assistant"))
        pieces.append(("\n", False))
    return pieces
