"""Stories: a hero, a plot from plots*.py, consistent names and pronouns, and a request that fits.

    story = make_story(random.Random(1))
    story.request, story.text, story.facts   # facts: questions about the story with answers
"""
import dataclasses

import plots
import plots_things
import vocabulary as V
from grammar import expand, polish

HE = dict(p="he", m="him", s="his", f="himself")
SHE = dict(p="she", m="her", s="her", f="herself")

ADJ_SET = set(V.HERO_ADJ)
SKY_HEROES = set(V.ANIMALS["sky"])


@dataclasses.dataclass
class Being:
    noun: str
    adj: str
    name: str
    pronoun: dict
    habitat: str

    def ref(self):
        return self.name or "the " + self.noun


@dataclasses.dataclass
class Story:
    request: str
    text: str
    facts: list
    subject: str
    hero: object = None
    epilogue: str = ""


def made_up_word(rng):
    word = "".join(rng.choice(V.SYLLABLES) for _ in range(rng.choice((1, 1, 2)))) + rng.choice(V.ENDINGS)
    return word


def pick_noun(rng):
    """A living hero: (noun, habitat, gender or None)."""
    r = rng.random()
    if r < 0.62:
        habitat = rng.choice(list(V.ANIMALS))
        return rng.choice(V.ANIMALS[habitat]), habitat, None
    if r < 0.74:
        noun = rng.choice(V.FANTASY)
        return noun, rng.choice(("wonder", "wonder", "village", "forest")), None
    if r < 0.94:
        group, gender = rng.choice(((V.PEOPLE_HE, HE), (V.PEOPLE_SHE, SHE), (V.PEOPLE_ANY, None)))
        noun = rng.choice(group)
        if noun in ("boy", "girl") or rng.random() < 0.12:
            noun, gender = rng.choice((("boy", HE), ("girl", SHE)))
        royal = noun in ("king", "queen", "prince", "princess", "emperor")
        return noun, "castle" if royal else "village", gender
    return made_up_word(rng), rng.choice(("wonder", "forest", "village", "garden")), None


def make_being(rng, noun=None, habitat=None, gender=None, adj=None, name_rate=0.55, not_gender=None, avoid=()):
    if noun is None:
        noun, habitat, gender = pick_noun(rng)
    if gender is None:
        gender = rng.choice((HE, SHE))
        if not_gender is not None and rng.random() < 0.9:
            gender = SHE if not_gender is HE else HE
    name = None
    if rng.random() < name_rate:
        for _ in range(20):
            name = rng.choice(V.NAMES_HE if gender is HE else V.NAMES_SHE)
            if rng.random() < 0.06:
                name = made_up_word(rng).capitalize()
            if name not in avoid:
                break
    return Being(noun, adj or rng.choice(V.HERO_ADJ), name, gender, habitat)


def friend_for(rng, hero, avoid_nouns, avoid_names):
    """A friend from the hero's world: fish meet fish, people meet people or animals."""
    habitat = hero.habitat
    for _ in range(30):
        if habitat in ("village", "castle", "wonder"):
            if rng.random() < 0.5:
                noun, gender = rng.choice((("boy", HE), ("girl", SHE), ("old woman", SHE), ("old man", HE),
                                           ("farmer", None), ("baker", None), ("girl", SHE), ("boy", HE), ("shepherd", HE)))
            else:
                noun, gender = rng.choice(V.ANIMALS[rng.choice(("forest", "house", "farm"))]), None
        elif habitat in ("forest", "sky", "garden", "pond"):
            pool = rng.choice((habitat, habitat, "forest", "sky"))
            noun, gender = rng.choice(V.ANIMALS[pool]), None
        else:
            noun, gender = rng.choice(V.ANIMALS[habitat if habitat in V.ANIMALS else "forest"]), None
        if noun not in avoid_nouns:
            break
    adj = rng.choice(V.KIND_ADJ)
    if noun in ("boy", "girl", "baker", "farmer", "shepherd") or noun.startswith("old "):
        adj = rng.choice(("kind", "friendly", "cheerful", "funny", "clever", "helpful", "happy", "merry", "gentle"))
    return make_being(rng, noun, habitat, gender, adj=adj, name_rate=0.35, not_gender=hero.pronoun, avoid=avoid_names)


def being_slots(rng, prefix, being):
    """Slots of one being: P, p, pm ... for the hero; F, f, fm ... for the friend."""
    low = prefix.lower()
    pr = being.pronoun

    def reference():
        if being.name and rng.random() < 0.86:
            return being.name
        if being.name is None and rng.random() < 0.12 and " " not in being.noun:
            return "the little " + being.noun if being.adj == "little" else "the " + being.noun
        return "the " + being.noun

    named = f" named {being.name}" if being.name else ""
    return {prefix: reference, low: pr["p"], low + "m": pr["m"], low + "s": pr["s"], low + "f": pr["f"],
            prefix + "n": being.noun, "a" + prefix + "n": "a " + being.noun,
            "a" + prefix: f"a {being.adj} {being.noun}{named}",
            prefix + "name": being.name or being.noun.title().replace(" ", " "), }


OPENINGS = [
    "{Once upon a time, there was|Once there was|There once was|Long ago, there was|Once upon a time, there lived} a [adj] [Pn][named] who lived in [home].",
    "{Once upon a time, there was|Once there was|There once was|Long ago, there was} a [adj] [Pn][named]. [^p] lived in [home].",
    "{Once upon a time|Long ago|Once}, a [adj] [Pn][named] lived in [home].",
    "In [home], there lived a [adj] [Pn][named].",
    "{Once upon a time, there was|There was once} a [Pn][named] who was very [adj]. [^p] lived in [home].",
]

ASK = [
    "{Tell|Can you tell|Please tell|Could you tell} me a {|||short |little |nice |bedtime |good |sweet }story about [subject]",
    "{Tell|Please tell} me {a|another} {|||short |nice |fun }story about [subject]",
    "{Write|Write me|Make up|Give me|Invent} a {|||short |little |nice |bedtime }story about [subject]",
    "{I want to hear|I would like to hear|I want|I'd like|Let me hear} a {|short |nice }story about [subject]",
    "{A story about|Story about|A short story about|A bedtime story about} [subject]{|, please}",
    "{Do you know|Do you have|Can you write|Can you make up|Will you tell me|Could you write} a {|short |nice |good }story about [subject]",
    "{Tell me about|Tell a story about|Tell us a story about|Tell a short tale about|Tell me a tale about|Tell me a fairy tale about} [subject]",
    "{Hi|Hello|Hey}! {Can you tell|Tell|Please tell} me a story about [subject]",
]
ASK_TOPIC_EXTRA = ["{Tell me|Write} a story with [subject] in it", "{Tell me|I want} a story {that has|with} [subject]"]
ASK_ANY = [
    "{Tell|Can you tell|Please tell|Could you tell} me a {|short |nice |bedtime |good |sweet |little |funny |happy |new }story",
    "{I want to hear a story|I would like a story|A story, please|Story time|Once more, a story|Read me a story}",
    "{Do you know any stories|Can you write a story|Do you know a good story|Tell me one of your stories|Make up a story|Surprise me with a story}",
    "{I can't sleep. Tell me a story|I am bored. Tell me a story|I'm sad. Tell me a story|It's bedtime. Tell me a story|My child wants a story}",
]
QUESTION_START = ("how", "can", "could", "do", "will", "would")


def punctuate(rng, text):
    """Adds the final mark that the request's first word asks for; people often leave it out."""
    text = polish(text)
    if text[-1] in ".?!":
        return text
    if rng.random() < 0.3:
        return text
    last = text.replace("!", ".").split(". ")[-1]
    return text + ("?" if last.split(" ")[0].lower() in QUESTION_START else rng.choice((".", ".", ".", "!")))


def describe(rng, hero, who):
    """The hero as the request names it: "a brave fox named Red who got lost"."""
    with_adj = rng.random() < (0.85 if hero.adj in V.WILD_ADJ else 0.35)
    text = "a " + (hero.adj + " " if with_adj else "") + hero.noun
    if hero.name and rng.random() < 0.22:
        text += rng.choice((" named ", " called ")) + hero.name
    elif hero.name and rng.random() < 0.06:
        text = f"{hero.name} the {hero.noun}"
    if who:
        text += rng.choice((" who ", " who ", " who ", " that ")) + who
    return text


def _fill(rng, template_plot, scene):
    for slot, value in template_plot.get("choose", {}).items():
        scene[slot] = expand(rng, value, scene)
    body = expand(rng, template_plot["body"].strip(), scene)
    return body


CLOSINGS = ["", "", "", "", "The end.", "{The end|And that is the end of the story}.", "And they {all |}lived happily ever after."]


def finish(rng, opening, body, moral):
    lines = body.split("\n")
    text = opening + " " + "\n\n".join(line.strip() for line in lines)
    closing = expand(rng, rng.choice(CLOSINGS), {})
    if moral and rng.random() < 0.1:
        closing = "The moral of the story: " + moral
    if closing:
        text += ("\n\n" if rng.random() < 0.5 or "moral" in closing else " ") + closing
    return polish(text)


def living_story(rng, noun=None, habitat=None, gender=None, plot=None):
    """A story whose hero is an animal, a person or a creature."""
    plot = plot or rng.choice(plots.PLOTS)
    adj = rng.choice(plot["adj"].split(",")) if rng.random() < 0.75 else rng.choice(V.HERO_ADJ + V.WILD_ADJ)
    if noun is None:
        noun, habitat, gender = pick_noun(rng)
    hero = make_being(rng, noun, habitat, gender, adj=adj)
    friend = friend_for(rng, hero, (hero.noun,), (hero.name,))
    third = friend_for(rng, hero, (hero.noun, friend.noun), (hero.name, friend.name))
    world = V.HABITAT[habitat]
    scene = dict(being_slots(rng, "P", hero))
    scene.update(being_slots(rng, "F", friend))
    scene.update(being_slots(rng, "G", third))
    scene.update(adj=hero.adj, named=f" named {hero.name}" if hero.name else "", go=world["go"], food=world["food"])
    for slot, key in (("home", "home"), ("land", "land"), ("spot", "spot"), ("area", "area"), ("treat", "treat")):
        scene[slot] = expand(rng, world[key], {})
    for slot, key in (("spot2", "spot"), ("area2", "area")):
        while True:
            scene[slot] = expand(rng, world[key], {})
            if scene[slot] != scene[key]:
                break
    scene["treasure"] = rng.choice(V.TREASURES)
    if habitat == "sky" and plot["name"] == "kite":
        return living_story(rng, noun, habitat, gender)
    body = _fill(rng, plot, scene)
    opening = expand(rng, rng.choice(OPENINGS), scene)
    text = finish(rng, opening, body, plot["moral"])
    who = expand(rng, rng.choice(plot["who"]), scene) if rng.random() < 0.4 else ""
    if rng.random() < 0.05:
        who = rng.choice(("lives in ", "lived in ")) + scene["home"]
    r = rng.random()
    if r < 0.04 and noun[-1] not in "shxy" and not noun.endswith("man") and not noun.endswith("mouse"):
        subject = noun + "s"
    elif r < 0.12:
        subject = expand(rng, rng.choice(plot["topics"]), scene)
    elif r < 0.2 and friend.noun in text:
        subject = f"a {hero.noun} and a {friend.noun}"
    elif r < 0.25 and not who:
        subject = describe(rng, hero, "") + " and " + expand(rng, rng.choice(plot["topics"]), scene)
    else:
        subject = describe(rng, hero, who)
    epilogue = polish(expand(rng, rng.choice(EPILOGUES), scene))
    return Story(polish("about " + subject)[6:], text, _facts(hero, friend, scene, plot, text), subject, hero, epilogue)


def _facts(hero, friend, scene, plot, text):
    facts = []
    if hero.name:
        facts.append(("{What was the name of the %s|What was the %s's name|What is the %s called}?" % ((hero.noun,) * 3),
                      "{The %s was named|The %s's name was|The name of the %s was} %s." % (hero.noun, hero.noun, hero.noun, hero.name)))
        facts.append((f"Who is {hero.name}?", "{%s is|%s was} a %s %s in the story." % (hero.name, hero.name, hero.adj, hero.noun)))
    facts.append(("{What is the moral of the story|What is the moral|What can we learn from this story|What did you want to say with it|What does the story teach us}?", plot["moral"]))
    facts.append(("{Where did the %s live|Where does the %s live}?" % ((hero.noun,) * 2), "The %s lived in %s." % (hero.noun, scene["home"])))
    ref = f"{friend.name}, a {friend.adj} {friend.noun}" if friend.name else f"a {friend.adj} {friend.noun}"
    facts.append(("{Who helped the %s|Who was the friend of the %s|Who did the %s meet}?" % ((hero.noun,) * 3), "{It was %s|The %s met %s}." % (ref, hero.noun, ref)))
    return facts


EPILOGUES = [
    "The next {day|morning}, [P] and [F] met again. \"{What shall we do today|Where shall we go today}?\" asked [F]. \"{Let us go to [area]|I want to see [area]}!\" said [P]. So they [go] there together, and {they found a big [treat]|they saw a beautiful rainbow|they played all day}. {It was another wonderful day.|When the sun went down, they went home, tired and happy.}",
    "After that, [P] {slept for a long time|went home and rested}. The next week, [P] [go] to see [F]. \"{I have something for you|Look what I have}!\" said [P]. It was a [treasure]. \"{For me? Thank you|Oh, how beautiful}!\" said [F]. {And they laughed and ate [food] together.|They stayed friends for the rest of their lives.}",
    "{Then winter came|Then spring came|Some time later}, and [P] and [F] were still good friends. One day, they met [aG]. \"{May I play with you|Can I come with you}?\" asked [G]. \"{Of course|Yes, come with us}!\" said [P]. {And from then on, there were three friends.|So the three of them had a big party near [area].}"]


START = [
    "{Start|Begin} a story about [subject]", "{Write|Give me|Tell me} {the first sentence|the beginning|just the beginning|only the first line} of a story about [subject]",
    "{How could|How would} a story about [subject] begin", "{First sentence|The first line} of a story about [subject]"]
MINI = [
    "{Tell|Tell me|Write|Give me} a {very short|tiny|really short|mini} story about [subject]", "{Tell me|Write} a story about [subject] in {a few|three|four|two} sentences",
    "{A very short story|A tiny story|A mini story} about [subject]", "{Just a very short|Only a tiny} story about [subject]"]
MINI_BODIES = [
    "One day, [p] met [aF]. {They played near [area]|They walked to [area]|They talked all day}, and {they became good friends|they were very happy}.",
    "One day, [p] found a [treasure] [spot]. [^p] gave it to [aF], and {they both smiled|[F] said, \"Thank you, [Pname]!\"|they were friends from that day on}.",
    "Every day, [P] [go] to [area]. There [p] met [aF], who {gave [pm] a [treat]|showed [pm] a secret place|sang [pm] a song}. {[P] was very happy.|It was a good day.}",
    "[^p] wanted a [treat] very much. [aF] had one, and [f] shared it with [P]. {\"Thank you,\" said [P].|They ate it together and laughed.}",
    "When [p] was sad, [aF] came to [pm] and told [pm] a joke. [P] laughed, and then [p] was not sad anymore."]


def short_story(rng):
    """A story of one to four sentences; it teaches to keep to the subject at little cost."""
    noun, habitat, gender = pick_noun(rng)
    hero = make_being(rng, noun, habitat, gender, adj=rng.choice(V.HERO_ADJ + V.WILD_ADJ))
    friend = friend_for(rng, hero, (hero.noun,), (hero.name,))
    world = V.HABITAT[habitat]
    scene = dict(being_slots(rng, "P", hero))
    scene.update(being_slots(rng, "F", friend))
    scene.update(adj=hero.adj, named=f" named {hero.name}" if hero.name else "", treasure=rng.choice(V.TREASURES))
    scene.update({key: expand(rng, world[key], {}) for key in ("home", "land", "spot", "area", "treat", "go")})
    text = expand(rng, rng.choice(OPENINGS), scene)
    asks = START
    if rng.random() < 0.6:
        asks = MINI
        text += " " + expand(rng, rng.choice(MINI_BODIES), scene)
    subject = describe(rng, hero, "")
    request = punctuate(rng, expand(rng, rng.choice(asks), {"subject": polish("about " + subject)[6:]}))
    return Story(request, polish(text), [], subject, hero)


def thing_story(rng, thing=None):
    """A story whose hero is a thing that can talk."""
    thing = thing or rng.choice(V.THINGS)
    plot = rng.choice(plots_things.THING_PLOTS)
    adj = rng.choice(("little", "small", "old", "tiny", "brave", "red", "blue", "yellow", "happy", "shiny", "funny", "white", "green"))
    name = rng.choice(V.NAMES_HE + V.NAMES_SHE) if rng.random() < 0.2 else None
    noun, gender = rng.choice((("girl", SHE), ("boy", HE), ("old man", HE), ("old woman", SHE), ("child", None), ("girl", SHE), ("boy", HE)))
    friend = make_being(rng, noun, "village", gender, adj=rng.choice(("little", "kind", "young", "friendly", "happy") if noun in ("girl", "boy", "child") else ("kind", "friendly", "gentle", "wise")),
                        name_rate=0.7, avoid=(name,))
    scene = being_slots(rng, "F", friend)
    scene.update(P=lambda: name if name and rng.random() < 0.8 else f"the {rng.choice((adj, 'little')) if rng.random() < 0.4 else ''} {thing}",
                 thing=thing, thing2=rng.choice([t for t in V.THINGS if t != thing]),
                 adj=adj, named=f" named {name}" if name else "",
                 vspot=expand(rng, "{in the garden|behind a fence|near the road|under a tree|by the river}", {}))
    scene["place"] = expand(rng, "{in an old house|in a small shop|on a shelf|in a big town|in a toy shop|in a kitchen|in a quiet village|in the attic of an old house|next to a window}", {})
    opening = expand(rng, rng.choice((
        "{Once upon a time, there was|Once there was|Long ago, there was|There once was} a [adj] [thing][named] [place].",
        "{Once upon a time|Once|Long ago}, a [adj] [thing][named] lived [place].")), scene)
    text = finish(rng, opening, _fill(rng, plot, scene), plot["moral"])
    r = rng.random()
    subject = "a " + (adj + " " if rng.random() < 0.35 else "") + thing
    if name and rng.random() < 0.3:
        subject += " named " + name
    if r < 0.4:
        subject += rng.choice((" who ", " that ")) + rng.choice(plot["who"])
    facts = [("{What is the moral of the story|What can we learn from this story}?", plot["moral"])]
    if name:
        facts.append((f"What was the {thing}'s name?", f"The {thing}'s name was {name}."))
    return Story(polish("about " + subject)[6:], text, facts, subject)


def child_story(rng, toy=None, place=None):
    """A child with a toy, or a child who visits a place."""
    noun, gender = rng.choice((("girl", SHE), ("boy", HE)))
    child = make_being(rng, noun, "village", gender, name_rate=0.9)
    friend_noun = rng.choice((("girl", SHE), ("boy", HE), ("old man", HE), ("old woman", SHE)) if toy or not place else
                             (("girl", SHE), ("boy", HE), ("rabbit", None), ("bird", None), ("fox", None), ("squirrel", None), ("mouse", None)))
    friend = make_being(rng, friend_noun[0], "village", friend_noun[1], adj=rng.choice(V.KIND_ADJ[:7]), name_rate=0.6,
                        not_gender=child.pronoun, avoid=(child.name,))
    if friend.noun == child.noun and not friend.name:
        friend.name = rng.choice(V.NAMES_HE if friend.pronoun is HE else V.NAMES_SHE)
        if friend.name == child.name:
            friend.name = "Robin"
    if not child.name and friend.noun == child.noun:
        child.name = "Max" if child.pronoun is HE else "Ella"
    scene = dict(being_slots(rng, "P", child))
    scene.update(being_slots(rng, "F", friend))
    scene.update(toy=toy or "", place=place or "", adj=child.adj, named=f" named {child.name}" if child.name else "",
                 home=expand(rng, V.HABITAT["village"]["home"], {}), aGn="a " + rng.choice(V.ANIMALS["forest"]))
    plot = rng.choice(plots_things.TOY_PLOTS if toy else plots_things.PLACE_PLOTS)
    text = finish(rng, expand(rng, rng.choice(OPENINGS), scene), _fill(rng, plot, scene), plot["moral"])
    if toy:
        r = rng.random()
        subject = "a " + toy if r < 0.45 else f"a {child.noun} " + ("and a " + toy if r < 0.7 else "who " + expand(rng, rng.choice(plot["who"]), scene))
        if r > 0.93:
            subject = expand(rng, rng.choice(plot["topics"]), scene)
    else:
        subject = place if rng.random() < 0.7 else f"a {child.noun} who {rng.choice(('went to', 'visited', 'saw'))} {place}"
    facts = [("{What is the moral of the story|What can we learn from this story}?", plot["moral"])]
    if child.name:
        facts.append((f"What was the {child.noun}'s name?", f"The {child.noun}'s name was {child.name}."))
    return Story(polish("about " + subject)[6:], text, facts, subject, child)


def make_story(rng):
    """A story and the request it answers."""
    r = rng.random()
    if r < 0.74:
        story = living_story(rng)
    elif r < 0.84:
        story = thing_story(rng)
    elif r < 0.92:
        story = child_story(rng, toy=rng.choice(V.TOYS))
    else:
        story = child_story(rng, place=rng.choice(plots_things.PLACES))
    r = rng.random()
    if r < 0.08:
        story.request = punctuate(rng, expand(rng, rng.choice(ASK_ANY), {}))
    elif r < 0.1:
        story.request = punctuate(rng, expand(rng, rng.choice(ASK_TOPIC_EXTRA), {"subject": story.request}))
    else:
        story.request = punctuate(rng, expand(rng, rng.choice(ASK), {"subject": story.request}))
    return story


if __name__ == "__main__":
    import random
    import sys
    generator = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 5):
        s = make_story(generator)
        print("USER:", s.request)
        print(s.text)
        print("FACTS:", s.facts[0])
        print("-----")
