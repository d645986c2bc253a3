"""A conversation with tools, as a script: what the model says is given, all else is the server's and the client's.

The small model of the tests calls no tools by itself. A request's `guided_choice` leaves it one text to say, in the
form in which models with its chat template write calls; the server has to find the calls in it, stream them, number
them, and to show calls and results to the model in the turns that follow.

    client.chat.completions.create(..., tools=TOOLS, extra_body=says(call("get_weather", city="Paris")))
"""

import json

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTIONS = [
    {"name": "get_weather", "description": "Weather of a city.", "parameters": CITY},
    {"name": "get_time", "description": "Time in a city.", "parameters": CITY},
]
TOOLS = [{"type": "function", "function": f} for f in FUNCTIONS]


def get_weather(city):
    return f"18 degrees in {city}"


def get_time(city):
    return f"10:30 in {city}"


def run_tool(name, arguments):
    return {"get_weather": get_weather, "get_time": get_time}[name](**arguments)


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


def says(*calls):
    """The extra fields of a request whose answer is one call or several."""
    return {"guided_choice": [json.dumps(calls[0] if len(calls) == 1 else list(calls))]}


def says_some_city(name):
    """Of a request whose answer is a call with a city of the model's own making: it comes in many pieces."""
    return {"guided_regex": r'\{"name": "%s", "arguments": \{"city": "[A-Z][a-z]{90,120}"\}\}' % name}


def prompt_of(http, messages, tools=TOOLS):
    """What the model sees of a chat."""
    answer = http.post("/apply-template", json={"messages": messages, "tools": tools})
    assert answer.status_code == 200, answer.text
    return answer.json()["prompt"]
