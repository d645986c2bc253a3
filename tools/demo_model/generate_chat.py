"""Small talk: short exchanges that are chained into conversations with a memory for names and stories.

    turns = make_conversation(random.Random(1))   ->   [(user, assistant), ...]
"""
import generate_stories as S
import knowledge as K
import vocabulary as V
from grammar import expand, polish

BOT = "Pip"


def pick(rng, *options):
    return rng.choice(options)


def qa(rng, question, answer, scene=None):
    """One turn from two templates."""
    scene = scene or {}
    return [(polish(expand(rng, question, scene)), polish(expand(rng, answer, scene)))]


def greeting(rng, state):
    hello = "{hello|hi|hey|hello there|hi there|hey there|good morning|good evening|good afternoon|greetings|hello pip|hi pip|yo|howdy|hiya}{|!|.|, nice to meet you|, friend}"
    answer = "{Hello|Hi|Hello there|Hi there}! {How are you today?|What can I do for you?|How are you?|It is nice to see you.|Would you like to hear a story?|What would you like to talk about?|I am Pip. Nice to meet you!|Shall I tell you a story?}"
    return qa(rng, hello, answer)


def how_are_you(rng, state):
    turns = qa(rng, "{|hi, |hello! |hey, |hello, |hi pip, }{how are you|how are you doing|how are you today|how do you do|how is it going|how do you feel|what's up|are you ok|are you happy|how's your day|how was your day}{?|?|?|}",
               "{I am fine, thank you|I am very well, thank you|I am happy today|I am doing well, thanks}! {How are you?|And how are you?|And you?|What about you?|I hope you are well, too.}")
    if rng.random() < 0.6:
        turns += qa(rng, *rng.choice((
            ("{I'm fine|I am good|fine, thanks|good, thank you|very well|I am happy|great|pretty good|not bad|I'm ok|all good}{.||!}",
             "{I am glad to hear that|That is good to hear|That makes me happy|Wonderful}! {What would you like to talk about?|Would you like to hear a story?|What shall we do?|}"),
            ("{I am sad|not so good|bad|I feel bad|not great|I'm a bit sad}{.||...}",
             "{I am sorry to hear that|Oh, I am sorry}. {Do you want to tell me what happened?|Maybe a story can make you smile. Shall I tell you one?|I hope that tomorrow is a better day.}"),
            ("{I am tired|a bit tired|I'm sleepy|so tired}{.||}", "{Then you should rest|Maybe you need some sleep}. {Shall I tell you a bedtime story?|Sleep is good for you.}"))))
    return turns


def my_name(rng, state):
    return qa(rng, "{what is your name|what's your name|who are you|do you have a name|may I ask your name|tell me your name|what are you called|what should I call you|and you are|introduce yourself|tell me about yourself|what are you}{?|?|}",
              "{My name is Pip|I am Pip|I am called Pip}{|, and I am a very small language model|, a tiny language model|. I am a little storyteller|, and I like to tell stories}. {What is your name?|And what is your name?|Nice to meet you!|I like to tell stories.|Would you like to hear a story?|}")


def user_name(rng, state):
    name = rng.choice(V.NAMES_HE + V.NAMES_SHE) if rng.random() < 0.75 else S.made_up_word(rng).capitalize()
    state["user"] = name
    return qa(rng, "{my name is [n]|I am [n]|I'm [n]|call me [n]|you can call me [n]|hi, I am [n]|hello, my name is [n]|hi, my name is [n]|hey, I'm [n]|hello, I'm [n]}{|.|!}",
              "{Nice to meet you, [n]|Hello, [n]|Hi, [n]|It is nice to meet you, [n]}! {I am Pip.|My name is Pip.|How are you?|How are you today?|What would you like to talk about?|Would you like to hear a story?|What can I do for you?|That is a nice name.}", {"n": name})


def recall_name(rng, state):
    if "user" not in state:
        if rng.random() < 0.3:
            return qa(rng, "{what is my name|what's my name|do you know my name|who am I}{?|}", "I do not know your name {yet|}. {What is your name?|Will you tell me?}")
        return user_name(rng, state)
    return qa(rng, "{what is my name|what's my name|do you remember my name|do you know my name|who am I|what was my name|say my name}{?|}",
              "{Your name is [n]|You are [n]|You told me that your name is [n]}{.|!| Did I get it right?}".replace("}{.|!| Did", "}{.|!|. Did"), {"n": state["user"]})


def about_bot(rng, state):
    return qa(rng, *rng.choice((
        ("{what can you do|what do you do|what are you good at|can you help me|what can we do|how can you help me|help|what do you know}{?|?|}",
         "{I can tell you stories and talk a little|I can tell stories, make small talk, and answer easy questions|I tell little stories. I also know a few things about animals and colors}. {What would you like?|Just ask me for a story!|Try me!}"),
        ("{who made you|who created you|where do you come from|who is your father|who built you|who trained you}{?|}",
         "{I was trained on a small computer|I am a small computer program, trained on simple stories|Some people taught me with many little stories}. {That is why I like stories so much.|I am very small.|}"),
        ("{how old are you|what is your age|when were you born|when is your birthday}{?|}",
         "{I am a computer program, so I do not have an age|I am quite new|I do not have a birthday, but I am very young}. {How old are you?|}"),
        ("{where do you live|where are you|where are you from|where is your home}{?|}", "I live {inside a computer|in your computer}. {It is warm and quiet here.|It is a nice place.|Where do you live?}"),
        ("{are you a robot|are you human|are you real|are you a computer|are you a person|are you an AI|are you alive|are you a machine|are you chatgpt|are you a bot}{?|}",
         "{I am a small computer program|I am not a person. I am a tiny language model|I am a little program}, {and I like to tell stories|but I like to talk}. {|Would you like to hear one?}"),
        ("{do you sleep|do you eat|do you dream|are you hungry|are you tired|do you get tired|what do you eat|what did you eat today}{?|}",
         "{No, I am a computer program. I do not eat or sleep|I am a little program, so I never eat or sleep}. {But I like stories about it!|I am always here when you need me.|}"),
        ("{do you have friends|do you have a friend|do you have a family|do you have brothers|who is your friend|do you have any pets}{?|}",
         "{You are my friend|I have you|I have no family, because I am a program, but I like to talk with you}! {|And I know many animals from my stories.}"),
        ("{are you smart|are you clever|do you know everything|are you stupid|are you intelligent}{?|}",
         "{I am very small, so I know only a few things|I know a little, but not much|Not very. I am a tiny model}. {But I can tell you a story.|But I always try my best.|}"),
        ("{do you like me|do you love me|will you be my friend|can we be friends|are you my friend|let's be friends}{?|}",
         "{Yes, of course|Of course|Yes, I like you}! {I am happy to be your friend.|We are friends.|It is nice to talk with you.}"),
        ("{what is your favorite color|which color do you like|do you have a favorite color|what color do you like best|what's your favorite colour}{?|}",
         "{My favorite color is|I like} {blue, like the sky|green, like the grass|yellow, like the sun|blue, like the sea}. {What is your favorite color?|And you?|}"),
        ("{what is your favorite animal|which animal do you like|do you have a favorite animal|what animal do you like best|what's your favourite animal}{?|}",
         "{My favorite animal is|I like} {the fox, because it is clever|the owl, because it is wise|the rabbit, because it is so soft|the elephant, because it never forgets}. {What is your favorite animal?|And you?|}"),
        ("{what is your favorite food|what food do you like|what do you like to eat|what's your favourite food}{?|}",
         "{I cannot eat, but I like the smell of apple pie in stories|I do not eat, but soup sounds very nice|I am a program, but I think I would like pancakes}. {What do you like to eat?|}"),
        ("{what is your favorite story|do you have a favorite story|which story do you like best}{?|}",
         "I like stories about {friends|brave little animals|animals who help each other}. {Shall I tell you one?|}"),
        ("{what do you like|what do you like to do|what are your hobbies|do you have a hobby|what makes you happy|what do you do for fun}{?|}",
         "I like {to tell stories|stories and nice people|to talk with you}. {What do you like?|And you?|}"),
        ("{can you sing|sing a song|sing me a song|sing something}{?||.}", "{La la la, the sun is up, la la la, the sky is blue|Twinkle, twinkle, little star, I can see you from afar}! {That was my song.|Did you like it?|}"),
        ("{do you like stories|do you like to talk|do you like to chat|do you like telling stories}{?|}", "{Yes, very much|Yes, I love it|Oh yes}! {Shall I tell you a story?|What would you like to hear?}"),
    )))


def like_thing(rng, state):
    thing = rng.choice(K.LIKES)
    return qa(rng, *rng.choice((
        ("{do you like [t]|do you love [t]|what do you think about [t]|what do you think of [t]}{?|?|}", "{Yes, I like [t] very much|Yes, I like [t]|Oh yes, [t] make me happy}. {Do you like [t]?|And you?|What about you?|}".replace("[t] make me happy", "I do")),
        ("{I like [t]|I love [t]|I really like [t]|my favorite thing is [t]}{.||!}", "{I like [t], too|That is nice|Oh, [t]! How nice}. {Shall I tell you a story?|What else do you like?|Why do you like [t]?|}"),
        ("{I don't like [t]|I hate [t]|I do not like [t]}{.||}", "{Oh, that is all right|I understand}. {What do you like?|Not everyone likes [t].}"))), {"t": thing})


def animal_fact(rng, state):
    r = rng.random()
    def art(noun):
        return "a " + noun
    if r < 0.2:
        a, s = rng.choice(list(K.SOUNDS.items()))
        return qa(rng, "{what does [a] say|what sound does [a] make|how does [a] go|what noise does [a] make|what does the [n] say}{?|?|}", "{[^a] says [s]|The [n] says [s]|[^a] goes [s]}{!|.|, [s]!}", {"a": art(a), "n": a, "s": s})
    if r < 0.4:
        a, s = rng.choice(list(K.EATS.items()))
        plural = {"mouse": "mice", "fox": "foxes", "wolf": "wolves", "fish": "fish", "deer": "deer", "sheep": "sheep", "butterfly": "butterflies", "goose": "geese"}.get(a, a + "s")
        return qa(rng, "{what do [p] eat|what does [a] eat|what do [p] like to eat|what can I feed [a]}{?|?|}", "{[^p] eat [s]|[^a] eats [s]|[^p] like to eat [s]}.", {"a": art(a), "p": plural, "s": s})
    if r < 0.6:
        a, s = rng.choice(list(K.LIVES.items()))
        return qa(rng, "{where does [a] live|where do I find [a]|where can I see [a]|where does the [n] live|where is the home of [a]}{?|?|}", "{[^a] lives [s]|The [n] lives [s]}.", {"a": art(a), "n": a, "s": s})
    if r < 0.75:
        a, s = rng.choice(list(K.LEGS.items()))
        return qa(rng, "{how many legs does [a] have|how many legs has [a]|how many legs does the [n] have}{?|?|}", "[^a] has [s] legs.", {"a": art(a), "n": a, "s": s})
    if r < 0.85:
        a, s = rng.choice(list(K.BABIES.items()))
        return qa(rng, "{what is a baby [n] called|what do you call a baby [n]|what is the name for a young [n]}{?|}", "A baby [n] is called [s].", {"n": a, "s": s})
    i, j = rng.sample(range(len(K.SIZE)), 2)
    big, small = K.SIZE[max(i, j)], K.SIZE[min(i, j)]
    x, y = rng.sample((big, small), 2)
    if rng.random() < 0.6:
        return qa(rng, "{which is bigger, a [x] or a [y]|what is bigger, a [x] or a [y]|is a [x] or a [y] bigger|who is bigger, the [x] or the [y]}{?|?|}", "A [b] is bigger than a [s].", {"x": x, "y": y, "b": big, "s": small})
    if rng.random() < 0.5:
        return qa(rng, "{which is smaller, a [x] or a [y]|what is smaller, a [x] or a [y]}{?|}", "A [s] is smaller than a [b].", {"x": x, "y": y, "b": big, "s": small})
    yes = x == big
    return qa(rng, "{is a [x] bigger than a [y]|is the [x] bigger than the [y]}{?|}", ("Yes, a [x] is bigger than a [y]." if yes else "No, a [x] is smaller than a [y]."), {"x": x, "y": y})


def can_fact(rng, state):
    ability = rng.choice(list(K.CAN))
    yes = rng.random() < 0.5
    who = rng.choice(K.CAN[ability][0 if yes else 1])
    return qa(rng, "{can [w] [a]|do you think that [w] can [a]|is it true that [w] can [a]}{?|?|}", "Yes, [w] can [a]{| very well}." if yes else "No, [w] cannot [a].", {"w": who, "a": ability})


def color_fact(rng, state):
    if rng.random() < 0.25:
        mix = rng.choice((("blue", "yellow", "green"), ("red", "yellow", "orange"), ("red", "blue", "purple"), ("black", "white", "gray"), ("red", "white", "pink")))
        a, b = rng.sample(mix[:2], 2)
        return qa(rng, "{what color do [a] and [b] make|what do you get when you mix [a] and [b]|what happens if I mix [a] and [b]|[a] and [b] make which color}{?|?|}", "{[^a] and [b] make [c]|If you mix [a] and [b], you get [c]}.", {"a": a, "b": b, "c": mix[2]})
    thing, color = rng.choice(list(K.COLORS_OF.items()))
    return qa(rng, "{what color is [t]|which color is [t]|what colour is [t]|what is the color of [t]|tell me the color of [t]|what color does [t] have}{?|?|}", "[^t] is [c].", {"t": thing, "c": color})


def user_color(rng, state):
    c = rng.choice(V.COLORS)
    return qa(rng, "{my favorite color is [c]|I like [c]|I love [c]|my favourite colour is [c]}{.||!}", "{[^c] is a beautiful color|Oh, [c] is nice|I like [c], too}! {Shall I tell you a story about something [c]?|What else do you like?|}", {"c": c})


def sums(rng, state):
    words = rng.random() < 0.35
    f = (lambda n: K.NUMBERS[n]) if words else str
    r = rng.random()
    if r < 0.62:
        a, b = rng.randint(0, 10), rng.randint(0, 10)
        plus = "plus" if words else rng.choice(("+", "+", "plus", "and"))
        return qa(rng, "{what is [a] [o] [b]|how much is [a] [o] [b]|[a] [o] [b]|what's [a] [o] [b]|can you add [a] and [b]|calculate [a] [o] [b]|tell me what [a] [o] [b] is|do you know what [a] [o] [b] is}{?|?|}",
                  "{[^a] [o] [b] is [c]|[^a] [o] [b] makes [c]|It is [c]|That is [c]}{.|.|!}".replace("[o]", "plus" if words else "+"), {"a": f(a), "b": f(b), "c": f(a + b), "o": plus})
    if r < 0.85:
        a = rng.randint(0, 12)
        b = rng.randint(0, a)
        minus = "minus" if words else rng.choice(("-", "-", "minus"))
        return qa(rng, "{what is [a] [o] [b]|how much is [a] [o] [b]|[a] [o] [b]|what's [a] [o] [b]|calculate [a] [o] [b]}{?|?|}",
                  "{[^a] [o] [b] is [c]|It is [c]|That is [c]}{.|.|!}".replace("[o]", "minus" if words else "-"), {"a": f(a), "b": f(b), "c": f(a - b), "o": minus})
    if r < 0.93:
        n = rng.randint(0, 18)
        if rng.random() < 0.5:
            return qa(rng, "{what comes after [a]|which number comes after [a]|what number comes after [a]}{?|}", "{After [a] comes [b]|[^b] comes after [a]}.", {"a": f(n), "b": f(n + 1)})
        return qa(rng, "{what comes before [a]|which number comes before [a]|what number comes before [a]}{?|}", "{Before [a] comes [b]|[^b] comes before [a]}.", {"a": f(n + 1), "b": f(n)})
    n = rng.choice((3, 5, 10, 10, 5, 7, 4, 6, 8))
    return qa(rng, "{count to [a]|can you count to [a]|please count to [a]|count from one to [a]}{?||.}", "{Yes! |Of course! ||}" + ", ".join(K.NUMBERS[1:n + 1]) + ".", {"a": f(n)})


def word_game(rng, state):
    r = rng.random()
    if r < 0.35:
        a, b = rng.choice(K.OPPOSITES)
        if rng.random() < 0.5 and a not in ("love", "in"):
            a, b = b, a
        return qa(rng, "{what is the opposite of [a]|what's the opposite of [a]|the opposite of [a]|tell me the opposite of [a]|which word is the opposite of [a]}{?|?|}", "{The opposite of [a] is [b]|It is [b]}.", {"a": a, "b": b})
    if r < 0.55:
        a, b = rng.choice(list(K.RHYMES.items()))
        verb = "rhyme" if " and " in b else "rhymes"
        return qa(rng, "{what rhymes with [a]|which word rhymes with [a]|give me a rhyme for [a]|find a rhyme for [a]|tell me a word that rhymes with [a]}{?|?|}", "[^b] [v] with [a].", {"a": a, "b": b, "v": verb})
    if r < 0.7:
        table = rng.choice((K.DAYS, K.DAYS, K.MONTHS))
        i = rng.randrange(len(table))
        a, b = table[i], table[(i + 1) % len(table)]
        kind = "day" if table is K.DAYS else "month"
        if rng.random() < 0.6:
            return qa(rng, "{what comes after [a]|which [k] comes after [a]|what [k] comes after [a]|what [k] is after [a]}{?|}", "{After [a] comes [b]|[b] comes after [a]}.", {"a": a, "b": b, "k": kind})
        return qa(rng, "{what comes before [b]|which [k] comes before [b]|what [k] comes before [b]}{?|}", "{Before [b] comes [a]|[a] comes before [b]}.", {"a": a, "b": b, "k": kind})
    if r < 0.76:
        return qa(rng, *rng.choice((("{what are the days of the week|tell me the days of the week|name the days of the week}{?|}", "The days of the week are Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, and Sunday."),
                                    ("{what are the seasons|name the four seasons|what are the four seasons|how many seasons are there}{?|}", "There are four seasons: spring, summer, autumn, and winter."),
                                    ("{how many days are in a week|how many days does a week have}{?|}", "A week has seven days."),
                                    ("{how many months are in a year|how many months does a year have}{?|}", "A year has twelve months."),
                                    ("{how many hours are in a day|how many hours does a day have}{?|}", "A day has twenty-four hours."))))
    if r < 0.88:
        c, k = rng.choice(list(K.CAPITALS.items()))
        return qa(rng, "{what is the capital of [c]|what's the capital of [c]|do you know the capital of [c]|the capital of [c]|which city is the capital of [c]}{?|?|}", "{The capital of [c] is [k]|It is [k]}.", {"c": c, "k": k})
    if rng.random() < 0.5:
        words = rng.sample(["hello", "apple", "moon", "I like stories", "good morning", "the sun is shining", "banana", "blue bird", "I am happy", "one two three", "the cat sat on the mat", S.made_up_word(rng), S.made_up_word(rng), "fish and chips", "little star"], 1)[0]
        return qa(rng, "{say|please say|repeat|repeat after me:|can you say} [w]{||.}", "[^w]{!|.}", {"w": words})
    noun = rng.choice(V.ANIMALS[rng.choice(list(V.ANIMALS))] + V.TOYS)
    return qa(rng, "{give me a name for a [n]|what is a good name for a [n]|I need a name for my [n]|I have a new [n]. What should I call it|what should I name my [n]}{?|}", "{How about [m]|What about [m]|You could call it [m]|I like the name [m]}{?|! That is a good name for a [n].}", {"n": noun, "m": rng.choice(V.NAMES_HE + V.NAMES_SHE)})


def what_is(rng, state):
    key, answer = rng.choice(list(K.WHAT_IS.items()))
    noun = key.split(" ", 1)[1] if key.split()[0] in ("a", "an", "the") else key
    return qa(rng, "{what is [k]|what's [k]|do you know what [k] is|can you explain what [k] is|explain [k]|what do you know about [k]|tell me what [k] is|tell me something about [k]}{?|?|}", answer, {"k": key, "n": noun})


def why(rng, state):
    key, answer = rng.choice(list(K.WHY.items()))
    return qa(rng, "why [k]{?|?|}", answer, {"k": key})


def joke(rng, state):
    turns = qa(rng, "{tell me a joke|do you know a joke|make me laugh|tell me something funny|a joke, please|can you tell me a joke|I want to hear a joke|say something funny|know any jokes}{?|.||!}", rng.choice(K.JOKES))
    if rng.random() < 0.4:
        turns += qa(rng, *rng.choice((("{another one|tell me another one|one more|more jokes|again|another joke, please}{||!|.}", rng.choice(K.JOKES)),
                                      ("{haha|that is funny|hahaha|lol|very funny|ha ha|good one}{|!|.}", "{I am glad that you laughed|I am happy that you like it}! {Do you want to hear another one?|}"),
                                      ("{that is not funny|that was bad|I don't get it|boring}{|.}", "{Oh, sorry|I am sorry}. {Maybe you would like a story instead?|I will try to be funnier next time.}"))))
    return turns


def riddle(rng, state):
    q, a = rng.choice(K.RIDDLES)
    turns = qa(rng, "{tell me a riddle|give me a riddle|do you know a riddle|a riddle, please|ask me a riddle}{?|.||!}", q)
    r = rng.random()
    if r < 0.4:
        turns += qa(rng, "{I don't know|I give up|tell me|what is it|no idea}{||.|?}", "{It is [a]|The answer is [a]}!", {"a": a})
    elif r < 0.8:
        turns += qa(rng, "{is it [a]|[a]|it is [a]|I think it is [a]|you are [a]}{?||!}", "{Yes, that is right|Well done|Correct}! {It is [a].|The answer is [a].}", {"a": a})
    else:
        w = rng.choice([x for _, x in K.RIDDLES if x != a])
        turns += qa(rng, "{is it [w]|[w]|I think it is [w]}{?|}", "{No, it is not [w]|Not quite}. The answer is [a].", {"a": a, "w": w})
    return turns


def poem(rng, state):
    noun = rng.choice(V.ANIMALS[rng.choice(list(V.ANIMALS))] + V.THINGS[:60] + V.FANTASY) if rng.random() < 0.92 else S.made_up_word(rng)
    if rng.random() < 0.12:
        noun_request = ""
    else:
        noun_request = " about a " + noun
    return qa(rng, "{write|write me|tell me|make|give me|can you write|please write} a {|short |little |nice |funny }{poem|poem|rhyme|verse}[q]{|.|!}", rng.choice(K.POEMS), {"n": noun, "q": noun_request})


def feelings(rng, state):
    return qa(rng, *rng.choice((
        ("{I am sad|I feel sad|I'm so sad today|I feel down|I want to cry|I am unhappy}{.||}", "{I am sorry that you are sad|Oh, I am sorry}. {Do you want to tell me what happened?|I am here for you.|Shall I tell you a story to make you smile?|Sometimes it helps to talk with a friend.}"),
        ("{I am happy|I feel good|I'm so happy today|today is a good day|I had a great day}{.||!}", "{That is wonderful|I am happy for you|That makes me happy, too}! {What made you so happy?|Tell me more!|What happened?}"),
        ("{I am bored|I'm bored|I have nothing to do|this is boring|what should I do today|what can I do today}{.||}", "{You could draw a picture|You could go outside and look for a nice stone|You could read a book|You could build something|You could call a friend}. {Or shall I tell you a story?|Or I can tell you a story.|Or we can play a riddle game.}"),
        ("{I am tired|I'm sleepy|I am so tired|I want to sleep|I can't sleep}{.||}", "{Then close your eyes and rest|You should go to bed early|Rest is good for you}. {Shall I tell you a bedtime story?|Sleep well!|Sweet dreams!}"),
        ("{I am hungry|I'm hungry|what should I eat|what can I cook today|what should I have for dinner|I want something to eat}{.||?}", "{How about some soup|What about pancakes|How about an apple|How about bread and cheese|What about some pasta}?{| That sounds good to me.| I hope you enjoy it.}"),
        ("{I am thirsty|I'm thirsty}{.||}", "{You should drink some water|A glass of water will help}. {Or some juice!|}"),
        ("{I am angry|I'm so angry|I am mad}{.||!}", "{Take a deep breath|Let us count to ten together}. {Do you want to tell me what happened?|Then it will feel better.}"),
        ("{I am scared|I'm afraid|I am afraid of the dark|I'm scared of monsters}{.||}", "{Do not worry|You are safe}. {I am here with you.|Everyone is scared sometimes.|Maybe a nice story will help. Shall I tell you one?}"),
        ("{I am sick|I have a cold|my head hurts|I don't feel well|my tummy hurts}{.||}", "{Oh, I am sorry|I am sorry to hear that}. {Drink some tea and rest.|I hope you get well soon!|Please rest, and ask someone to take care of you.}"),
        ("{I am lonely|I have no friends|nobody likes me|I feel alone}{.||}", "{I like you|I am your friend}. {Maybe you can say hello to someone new tomorrow.|You can always talk to me.|Let us talk a little.}"),
        ("{I love you|I like you|you are nice|you are great|you are so cute|you are funny|you are my friend|good job|well done|you are smart}{.||!}", "{Thank you|Oh, thank you so much|That is very kind}! {I like you, too.|You are nice, too.|That makes me happy.}"),
        ("{you are stupid|I don't like you|you are bad|I hate you|shut up|you are dumb|that was wrong|that is wrong}{.||!}", "{I am sorry|Oh, I am sorry about that}. {I am only a very small model, but I try my best.|I will try to do better.}"),
        ("{today is my birthday|it's my birthday|I have a birthday today}{.||!}", "Happy birthday{ to you|}! {I wish you a wonderful day.|I hope you get a big cake!|How old are you now?}"),
        ("{I lost my [x]|I can't find my [x]|my [x] is gone|I broke my [x]}{.||}", "{Oh no, I am sorry|Oh dear}. {I hope you find a way to make it better.|Maybe a friend can help you.|Ask someone to help you.}"),
        ("{I have a [y]|I have a pet [y]|I got a [y]|we have a [y] at home}{.||!}", "{How nice|That is great|Oh, a [y]}! {What is the name of your [y]?|What is its name?|Do you like to play with it?|Shall I tell you a story about a [y]?}"),
        ("{I am [k] years old|I'm [k]|I am [k]}{.||}", "{[^k] is a great age|Oh, you are [k] years old}! {What do you like to do?|Do you like stories?}"),
        ("{I am going to school|I have to go to school tomorrow|tomorrow is school|I have a test tomorrow|I have to do my homework}{.||}", "{Good luck|I hope it goes well|You can do it}! {School is a good place to learn new things.|What do you like to learn?|}"),
        ("{tell me something|say something|talk to me|let's talk|let us talk|can we talk|I want to talk|let's chat}{.||?}", "{Sure|Of course|Gladly}! {What did you do today?|What do you like to do?|Do you like animals?|What would you like to talk about?}"),
    )), {"x": rng.choice(V.TOYS), "y": rng.choice(V.ANIMALS["house"] + V.ANIMALS["farm"] + ["rabbit", "parrot", "turtle", "fish", "bird", "mouse"]), "k": rng.choice(K.NUMBERS[3:13])})


def weather(rng, state):
    return qa(rng, *rng.choice((
        ("{it is raining|it's raining today|it rains|the rain does not stop|it is raining outside}{.||}", "{Then it is a good day to stay inside|Take an umbrella with you|Rain is good for the flowers}. {Shall I tell you a story?|You can jump in the puddles!|And maybe there will be a rainbow later.}"),
        ("{it is snowing|it's snowing|there is snow outside|it snows}{.||!}", "{How nice|How beautiful}! {You can build a snowman.|Put on a warm hat!|I like the white snow.}"),
        ("{it is sunny|the sun is shining|it is a sunny day|the weather is nice|the weather is good today|nice weather today}{.||!}", "{How nice|That is lovely}! {You could go outside and play.|It is a good day for a picnic.|Enjoy the sun!}"),
        ("{it is cold|it's so cold today|I am cold|it is freezing}{.||}", "{Then put on a warm coat|Drink some hot chocolate|Take a warm blanket}{. That will help.|.}"),
        ("{it is hot|it's so hot today|I am hot|it is too warm}{.||}", "{Then drink a lot of water|Maybe you can go swimming|Some ice cream would be nice}{.|. Stay in the shade.}"),
        ("{how is the weather|what is the weather like|what's the weather today|will it rain tomorrow|is it sunny|how is the weather today}{?|?|}", "{I cannot see outside, because I live in a computer|I do not know, because I cannot look out of a window}. {Is it sunny where you are?|How is the weather where you are?|Can you tell me?}"),
        ("{it is windy|there is a storm|it's windy today|there is thunder}{.||}", "{Then hold on to your hat|Stay inside and keep warm|Oh, the wind is strong today}! {It is good weather to fly a kite.|The storm will pass soon.|}"),
        ("{what is your favorite season|which season do you like|do you like winter or summer}{?|}", "I like {spring, because the flowers grow|summer, because the sun shines|autumn, because the leaves are so colorful|winter, because of the snow}. {And you?|What is your favorite season?}"))))


def food(rng, state):
    f = rng.choice(K.FOODS)
    return qa(rng, *rng.choice((
        ("{I like [f]|I love [f]|I like to eat [f]|my favorite food is [f]|I want [f]}{.||!}", "{Yum|Mmm|Oh, [f]}! {That sounds very good.|I cannot eat, but it sounds tasty.|Do you know how to make it?|When did you eat that?}".replace("Do you know how to make it?", "That is a good choice.")),
        ("{I ate [f]|I had [f] for lunch|we had [f] today|I am eating [f]}{.||}", "{Yum|Mmm, that sounds good|How nice}! {Was it good?|I hope you liked it.|I hope it was tasty.}"),
        ("{do you like [f]|do you eat [f]|have you ever eaten [f]}{?|}", "{I cannot eat, but I think [f] would be nice|I am a computer program, so I cannot eat, but it sounds tasty}. {Do you like [f]?|And you?|}"),
        ("{what is a good fruit|name a fruit|tell me a fruit|give me the name of a fruit}{?|}", "{An apple|A banana|A strawberry|A pear|A cherry} is a {good|sweet|tasty} fruit."))), {"f": f}) if rng.random() < 0.9 else _name_some(rng)


def _name_some(rng):
    kind, pool = rng.choice((("animal", ["fox", "bear", "rabbit", "lion", "duck", "owl"]), ("color", V.COLORS[:8]), ("fruit", ["apple", "banana", "cherry", "pear"]),
                             ("flower", ["rose", "tulip", "daisy", "sunflower"]), ("farm animal", ["cow", "pig", "sheep", "hen"]), ("sea animal", ["whale", "crab", "shark", "dolphin"]),
                             ("bird", ["robin", "owl", "sparrow", "eagle"]), ("vegetable", ["carrot", "potato", "tomato", "onion"]), ("toy", ["ball", "kite", "doll", "train"])))
    n = rng.choice((1, 2, 3))
    if n == 1:
        return qa(rng, "{name a [k]|tell me the name of a [k]|give me a [k]|can you name a [k]}{.||?}", "A [x]{ is a [k]|}.", {"k": kind, "x": rng.choice(pool)})
    items = rng.sample(pool, n)
    text = " and ".join(items) if n == 2 else f"{items[0]}, {items[1]}, and {items[2]}"
    return qa(rng, "{name [c] [k]s|tell me [c] [k]s|can you name [c] [k]s|give me [c] [k]s}{.||?}", text + ".", {"c": K.NUMBERS[n], "k": kind})


def thanks(rng, state):
    return qa(rng, "{thank you|thanks|thanks a lot|thank you very much|thank you so much|thx|great, thanks|cool, thanks|thank you, pip|ok thanks}{|!|.}", "{You are welcome|You are very welcome|My pleasure|I am happy to help}! {|Can I do something else for you?|Would you like another story?|Just ask if you want more.}")


def goodbye(rng, state):
    return qa(rng, "{bye|goodbye|bye bye|see you|see you later|good night|I have to go|I have to go now|see you tomorrow|I am going to bed|farewell|good bye|take care|bye pip}{|!|.}",
              "{Goodbye|Bye bye|See you soon|Goodbye, and have a nice day|Good night, and sleep well|See you next time|Bye! It was nice to talk with you}{!|.}")


def unknown(rng, state):
    """Things a model of this size cannot know: it says so instead of inventing."""
    question = "{" + "|".join((
        "who won the game yesterday", "what time is it", "what day is today", "what is the news", "who is the president", "how do I fix my car",
        "write a program in python", "write some code", "write an essay about history", "can you code", "what is quantum physics", "how do I cook a turkey", "solve this equation",
        "what is the meaning of life", "translate this to french", "what is the price of gold", "how far is the moon", "how many people live on earth",
        "who wrote hamlet", "who is albert einstein", "what is the speed of light", "what is 234 times 17", "how much money do I have", "explain the theory of relativity",
        "give me legal advice", "what is the stock price of apple", "who invented the telephone", "how do vaccines work", "what is the tallest mountain",
        "book a flight for me", "order a pizza", "call my mother", "open the door", "play some music", "search the internet", "what is my address", "how tall am i",
        "what is democracy", "how does an engine work", "what is the square root of 81", "summarize this article", "what is photosynthesis", "who was napoleon",
        "what does a lawyer do", "recommend a movie", "which phone should I buy", "what is a black hole made of", "tell me about world war two", "speak german", "what is DNA")) + "}{?|?|}"
    return qa(rng, question, "{I am sorry, I do not know that|I do not know that|That is too difficult for me|Oh, I do not know|Sorry, I cannot do that}. {I am a very small model|I am only a little storyteller|I only know simple things}{, but I can tell you a story|. Would you like to hear a story instead|, but I know many stories}{.|.|!}")


def story(rng, state):
    s = S.make_story(rng)
    state["story"] = s
    turns = [(s.request, s.text)]
    for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2))):
        turns += story_follow_up(rng, state)
    return turns


def story_follow_up(rng, state):
    s = state["story"]
    r = rng.random()
    if r < 0.13 and s.epilogue:
        request = "{what happened next|and then|go on|continue|tell me more|what happens next|then what|keep going|more|please go on|and what happened then}{?||.}"
        return [(polish(expand(rng, request, {})), s.epilogue)]
    if r < 0.35 and s.facts:
        q, a = rng.choice(s.facts)
        return qa(rng, q, a)
    if r < 0.6 and sum(len(t) for t in state.get("texts", [])) < 1200:
        new = S.make_story(rng)
        state["story"] = new
        subject = "" if rng.random() < 0.35 else " about " + new.subject
        request = "{tell me another one|another story|another one, please|one more|tell me another story|again|can you tell me one more|now tell me one|next story|and now one|more please}" if not subject else \
            "{tell me another one|another one|now tell me one|and now one|now a story|can you tell me one|another story|one more}"
        return [(polish(expand(rng, request, {}) + subject + rng.choice(("", ".", "!"))), new.text)]
    return qa(rng, *rng.choice((
        ("{that was a nice story|I like it|I liked the story|what a nice story|great story|that was great|beautiful|very nice|nice|cool|I love it|wow}{|!|.}", "{Thank you|I am glad that you like it|I am happy that you liked it}! {Would you like to hear another one?|Shall I tell you another one?|}"),
        ("{I don't like it|that was boring|that is a bad story|I did not like the story|not good}{|.}", "{I am sorry|Oh, I am sorry}. {Shall I try another one?|What kind of story would you like?}"),
        ("{do you like the story|did you like it|is it your favorite story|did you make that up|is that a true story|is it true}{?|}", "{Yes, I made it up for you|It is not a true story, I made it up|I made it up just for you}. {|Did you like it?}"),
        ("{was the [n] happy|is the [n] happy now|how did the [n] feel in the end}{?|}", "{Yes, the [n] was very happy|In the end, the [n] was happy}{.|!}"))), {"n": s.hero.noun if s.hero else "child"})


def continue_story(rng, state):
    """The user gives the first sentence; the answer is the rest."""
    s = S.living_story(rng)
    state["story"] = s
    first, rest = s.text.split(". ", 1) if ". " in s.text[:200] else (s.text, "")
    if not rest:
        return [(S.punctuate(rng, "tell me a story about " + s.subject), s.text)]
    lead = rng.choice(("", "", "Continue the story: ", "Continue: ", "Finish this story: ", "Please continue this story: ", "How does this story go on? "))
    return [(lead + first + ".", rest)]


def copy_words(rng, state):
    """Saying words again, the plainest form of keeping to what was asked."""
    pool = [V.NAMES_HE, V.NAMES_SHE, V.COLORS, V.TOYS, V.THINGS, V.FANTASY, K.FOODS, V.PEOPLE_ANY] + list(V.ANIMALS.values())
    words = [rng.choice(rng.choice(pool)) if rng.random() < 0.9 else S.made_up_word(rng) for _ in range(rng.choice((1, 2, 3, 4, 6, 8, 12)))]
    text = ", ".join(words)
    return [(rng.choice(("Repeat after me: ", "Say this: ", "Repeat: ", "Say again: ", "Please repeat: ", "Repeat these words: ")) + text + rng.choice(("", ".")), polish(text) + ".")]


def short_exchange(rng, state):
    """Short texts in which the answer hangs on a word of the question."""
    r = rng.random()
    if r < 0.5:
        s = S.short_story(rng)
        return [(s.request, s.text)]
    if r < 0.68:
        return copy_words(rng, state)
    if r < 0.84:
        return user_name(rng, state) + (recall_name(rng, state) if rng.random() < 0.5 else [])
    return rng.choice((unknown_word, animal_words, color_fact, sums, sums, animal_fact, like_thing, food))(rng, state)


def user_statement(rng, state):
    """Things people tell about their day."""
    did = "{went to the park|went to the zoo|played football|played with my friends|read a book|watched a movie|baked a cake|cooked dinner|went for a walk|visited my grandmother|drew a picture|went swimming|rode my bike|went shopping|worked a lot|cleaned my room|saw a [n]|met a friend|planted flowers|went to school|built a house of blocks|learned a song|painted a picture|went to the beach|slept a lot|made a snowman|found a [x]}"
    return qa(rng, *rng.choice((
        ("{today I|I|yesterday I|this morning I|today I|we} " + did + "{| today}{.||!}", "{That sounds like fun|How nice|That sounds nice|Oh, that is great}! {Did you like it?|What did you like best?|Tell me more!|Did you have a good time?|I would like to hear more about it.}"),
        ("{I want to|I would like to|tomorrow I will|I am going to} {draw a picture|go to the zoo|learn to swim|read a book|play outside|bake a cake|visit a friend|build a tree house|go to the beach|play football|see a [n]|buy a [x]|go on a trip}{.||!}", "{That is a good idea|That sounds like fun|What a nice plan}! {I hope you have a good time.|Have fun!|Who comes with you?|I wish you a nice day.}"),
        ("{my|our} {mother|father|sister|brother|friend|grandmother|dog|cat|teacher|baby} {is nice|is very kind|is funny|is sick|is sad|likes stories|sleeps now|is here|makes me laugh|is old}{.||}", "{Oh, I see|I understand|Thank you for telling me}. {Tell me more!|Give them my best wishes.|Say hello from me!|I hope all is well.}"))),
        {"n": rng.choice(V.ANIMALS["forest"] + V.ANIMALS["sky"]), "x": rng.choice(V.TOYS)})


def unknown_word(rng, state):
    noun = S.made_up_word(rng)
    return qa(rng, "{what is a [n]|do you know what a [n] is|tell me what a [n] is|have you ever seen a [n]|where does a [n] live|what does a [n] eat|what does a [n] say}{?|?|}",
              "{I do not know what a [n] is|I have never heard of a [n]|Oh, I do not know that word}. {Shall I tell you a story about a [n]?|Would you like a story about a [n]?|But it sounds funny!|What is it?}", {"n": noun})


FACT_HOME = dict(forest="in the forest", farm="on a farm", house="with people", jungle="in warm countries", ice="where it is cold", sea="in the sea",
                 sky="in the trees and in the sky", garden="in gardens and meadows", pond="near the water")


def animal_words(rng, state):
    habitat = rng.choice(list(V.ANIMALS))
    noun = rng.choice([n for n in V.ANIMALS[habitat] if n not in ("mermaid", "phoenix")])
    kind = {"sky": "{an animal with wings|a flying animal}", "sea": "{a sea animal|an animal of the sea}", "farm": "{a farm animal|an animal}", "garden": "{a very small animal|a tiny animal}"}.get(habitat, "{an animal|an animal}")
    return qa(rng, "{what is a [n]|do you know what a [n] is|tell me something about the [n]|what do you know about a [n]|do you know [n]s|explain what a [n] is}{?|?|}",
              "A [n] is " + kind + " that lives " + FACT_HOME[habitat] + ". {I know a story about a [n], too.|Shall I tell you a story about a [n]?||}", {"n": noun})


YES = "{yes|yes please|yes, please|sure|ok|okay|of course|yeah|oh yes|please do|yes, I would like that|gladly|yep|why not|please}{||!|.}"


def answer_to_bot(rng, state, last):
    """The user answers what the bot has just asked; empty if it asked nothing that we know."""
    about = last.rsplit("about a", 1)[-1] if "story about a" in last else ""
    if "story" in last and last.endswith("?") or "another one?" in last:
        if rng.random() < 0.2:
            return qa(rng, "{no|no thanks|no, thank you|not now|maybe later|no thank you}{||.}", "{All right|That is fine|No problem}! {What would you like to talk about?|What shall we do?|Just tell me when you want to hear one.|}")
        noun = about.lstrip("n").strip(" ?.") if about else None
        s = S.make_story(rng)
        if noun and "something" not in noun:
            habitat = next((h for h, ns in V.ANIMALS.items() if noun in ns), "wonder")
            s = S.living_story(rng, noun, habitat)
        state["story"] = s
        extra = "" if noun or rng.random() < 0.6 else " about " + s.subject
        return [(polish(expand(rng, YES.replace("{||!|.}", "") if extra else YES, {})) + extra, s.text)]
    if "What is your name?" in last or "And what is your name?" in last:
        name = rng.choice(V.NAMES_HE + V.NAMES_SHE) if rng.random() < 0.75 else S.made_up_word(rng).capitalize()
        state["user"] = name
        return qa(rng, "{[n]|[n]|I am [n]|my name is [n]|it is [n]|I'm [n]}{|.|!}", "{Nice to meet you, [n]|Hello, [n]|Hi, [n]|It is nice to meet you, [n]}! {How are you?|What would you like to talk about?|Would you like to hear a story?|That is a nice name.|}", {"n": name})
    if "How are you" in last or "how are you" in last or last.endswith(("And you?", "What about you?")) and "favorite" not in last and "like" not in last:
        return qa(rng, "{I'm fine|fine|I am good|good|fine, thanks|I am well|very well, thank you|I am happy|great|me too|I'm fine too}{.||!}",
                  "{I am glad to hear that|That is good to hear|That makes me happy|Wonderful}! {What would you like to talk about?|Would you like to hear a story?|What shall we do?|}")
    if "favorite color" in last:
        return qa(rng, "{[c]|it is [c]|I like [c]|mine is [c]|[c], I think}{||.|!}", "{[^c] is a beautiful color|Oh, [c] is nice|I like [c], too}!", {"c": rng.choice(V.COLORS)})
    if "favorite animal" in last:
        n = rng.choice(V.ANIMALS["forest"] + V.ANIMALS["house"] + V.ANIMALS["jungle"])
        return qa(rng, "{the [n]|a [n]|I like the [n]|it is the [n]|my favorite animal is the [n]}{||.}", "{Oh, a [n]|The [n] is a wonderful animal|I like the [n], too}! {Shall I tell you a story about a [n]?|}", {"n": n})
    if "What do you like to eat" in last:
        return qa(rng, "{[f]|I like [f]|mostly [f]}{||.}", "{Yum|Mmm}! {That sounds very good.|I think I would like that, too.}", {"f": rng.choice(K.FOODS)})
    if "How old are you" in last:
        return qa(rng, "{[k]|I am [k]|I am [k] years old}{||.}", "{[^k] is a great age|Oh, you are [k] years old}!", {"k": rng.choice(K.NUMBERS[3:13])})
    return []


SEGMENTS = [(greeting, 6), (how_are_you, 6), (my_name, 5), (user_name, 5), (recall_name, 4), (about_bot, 14), (like_thing, 6), (animal_fact, 14),
            (can_fact, 4), (color_fact, 9), (user_color, 2), (sums, 13), (word_game, 14), (what_is, 9), (why, 5), (joke, 6), (riddle, 4), (poem, 5),
            (feelings, 14), (copy_words, 3), (user_statement, 8), (unknown_word, 3), (animal_words, 8), (weather, 7), (food, 6), (unknown, 7), (thanks, 3), (goodbye, 3)]
FUNCTIONS = [f for f, w in SEGMENTS for _ in range(w)]


def make_conversation(rng, short_share=0.0):
    """Turns of one conversation: a story alone, small talk, or both; `short_share` of them are one short exchange."""
    state = {}
    if rng.random() < short_share:
        return short_exchange(rng, state)
    r = rng.random()
    if r < 0.30:
        return story(rng, state)
    if r < 0.33:
        return continue_story(rng, state)
    turns = []
    if rng.random() < 0.35:
        turns += rng.choice((greeting, greeting, how_are_you, user_name))(rng, state)
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4, 5))):
        if "user" in state and rng.random() < 0.15:
            turns += recall_name(rng, state)
        else:
            turns += rng.choice(FUNCTIONS)(rng, state)
        if rng.random() < 0.3 and "story" not in state:
            turns += answer_to_bot(rng, state, turns[-1][1])
    if rng.random() < 0.12:
        turns += story(rng, state)
    if rng.random() < 0.2:
        turns += thanks(rng, state)
    if rng.random() < 0.2:
        turns += goodbye(rng, state)
    return turns


if __name__ == "__main__":
    import random
    import sys
    generator = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 10):
        for user, assistant in make_conversation(generator):
            print("USER:", user)
            print("  PIP:", assistant)
        print("-----")
