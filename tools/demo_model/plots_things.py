"""Plots whose hero is a thing ("the little train") or a child with a thing, and plots about places.

THING slots: thing is the hero ("teapot"), P is "the [adj] teapot" or its name, it is
called it/its; F is the child who owns it or another thing's friend.
TOY slots: P is a child, toy is the thing.  PLACE slots: P a child, place a noun phrase.
"""

THING_PLOTS = [dict(
    name="useless", topics=["being useful", "being special"],
    who=["thought it was useless", "was forgotten", "wanted to be useful"], body="""
[P] was sad. "{I am too old and too small|Nobody needs me|Everyone has forgotten me}," it said. It stood in a dark corner, and nobody ever looked at it. {The other things in the room were new and shiny.|Dust fell on it, day after day.} "{If only someone would see me|I wish I could help someone}," it said.
One day, [aF] came into the room. [^F] was {sad|crying}, because {it was raining and there was nothing to do|something was missing for the big party|nobody had time to play}. Then [f] saw [P] in the corner. "{What is this|Who is this}?" said [F]. "A little [thing]! {You are just what I need|I have looked for you everywhere}!" [^F] took the [thing], {blew away the dust|cleaned it with a soft cloth}, and carried it into the light.
Now [P] was {shiny|clean} again. {[^F] showed it to all [fs] friends.|Everyone said how pretty it was.} From that day on, it stood in the best place in the house, next to the window. "{I am not useless at all|It is good to be needed}," said [P] happily. {And every evening, [F] said good night to it.|It never felt alone again.}""",
    moral="Everyone is useful for something."), dict(
    name="see_world", topics=["an adventure", "a journey", "coming home"],
    who=["wanted to see the world", "went on an adventure", "ran away"], body="""
"I want to see the world," said [P]. "{It is so boring here|I always see the same wall}." So one night, when the window was open, it {jumped out|slipped out} into the garden. {Bump!|Plop!} It landed in the grass and rolled down the hill. "{Hooray|Here I go}!" it cried.
It rolled past {the sleeping cows|the old mill|the dark trees} and fell into a little river. The river carried it along, under bridges and past villages. It saw {ducks and boats|mountains and castles|cities with a thousand lights}. It was wonderful! But at night, it was cold and dark, and [P] was all alone. "{I miss my shelf|I miss my home|I miss my friend}," it said.
In the morning, [aF] found it at the river. "{Who are you, little [thing]|Where do you come from}?" said [F]. "{I want to go home|Please take me home}!" said [P]. [^F] was kind and took it back, all the way up the river. {When it stood on its shelf again, it told the others all about the world.|How happy it was to be home again!} "{The world is big and beautiful|It is good to see the world}," said [P]. "But {home is the best place of all|it is even better to come home}." """,
    moral="The world is beautiful, but home is best."), dict(
    name="saves_day", topics=["being brave", "helping others", "being a hero"],
    who=["saved the day", "was a hero", "was very brave", "helped a friend"], body="""
[P] was the smallest of all. "{What do you want here|What can a little [thing] do}?" said the others and laughed. But [P] did not get angry. "{One day I will show you|Small ones can do great things}," it said.
One night, there was a big storm. All the lights went out. [aF] {was lost in the dark|was outside and could not find the door|was afraid and began to cry}. The others did not know what to do. "{I will help|Let me try}!" said [P]. It {shook and rattled|jumped up and down|made as much noise as it could}. Clink, clank, clink! [^F] heard the sound. "{What is that|What do I hear}?" said [F] and followed the sound, step by step. And so [f] came safely home.
"{You saved me|You are my hero}, little [thing]," said [F] and {held it tight|gave it a kiss}. The others were quiet. "{We are sorry that we laughed|We were wrong}," they said. "You are small, but you are the bravest of us all." {[P] was so proud that it shone in the dark.|From that day on, nobody laughed at [P] again.}""",
    moral="Even the smallest can do great things."), dict(
    name="thing_friends", topics=["friendship", "making friends", "being lonely"],
    who=["was lonely", "wanted a friend", "made a friend"], body="""
[P] was lonely. All day long, it waited, but nobody talked to it. "{I wish I had a friend|Being alone is no fun}," it said. {At night, it looked at the moon and sighed.|It tried to talk to the wall, but the wall did not answer.}
Then one day, a little [thing2] was put down right next to it. "Hello," said [P]. "{Who are you|Where do you come from}?" "I am a [thing2]," said the [thing2]. "{I am new here, and I am a little scared|Nobody wanted me anymore}." "{Do not be scared|You can stay with me}," said [P]. "I can tell you everything about this place." So they talked and talked. {The [thing2] knew funny jokes.|The [thing2] knew many stories.} They laughed until the morning.
Soon they did everything together. {When it rained, they listened to the rain.|When the sun was shining, they sat in the warm light.} A [thing] and a [thing2] are very different, but {that did not matter|they were the best of friends}. "{I am so happy that you are here|Now I am never alone}," said [P]. "{Me, too|So am I}," said the [thing2].""",
    moral="Friends can be very different."), dict(
    name="broken", topics=["getting fixed", "kindness", "being broken"],
    who=["was broken", "fell down and broke", "got fixed"], body="""
Every day, [P] did its work, and it was happy. But one day, it fell down. Crack! "{Ouch|Oh no}," it said. "I am broken!" {"It is no good anymore," said a loud voice.|"We need a new one," said someone.} And [P] was thrown away.
It lay [vspot] and felt very sad. The rain fell on it. Then [aF] came by. "{Are you hurt, little [thing]|Oh, who threw you away}?" said [F]. "{I think I can fix you|You only need a little glue}." [^F] took it home and worked all evening. [^f] used some glue, a little paint, and a lot of love. {"Hold still," said [F]. "It will not hurt."|"Almost done," said [F].}
In the morning, [P] was as good as new. There was only one tiny crack, and {[F] painted a star on it|[F] painted a flower on it}. "{Now you are special|Nobody else has one like this}," said [F]. {[P] was so happy that it sang a little song.|And [P] stayed with [F] forever.} {It was even more beautiful than before.|They were happy together for many years.}""",
    moral="Broken things can be fixed with care."), dict(
    name="thing_dream", topics=["a dream", "never giving up", "a wish"],
    who=["had a dream", "wanted to fly", "wanted to be something else", "never gave up"], body="""
[P] had a dream. It wanted to fly! "A [thing] cannot fly," said the others. "{That is silly|Forget it}." But [P] looked at the birds every day and dreamed. "{One day, I will fly|I will find a way}," it said.
First, it jumped from a chair. Bump! Then it jumped from a table. Bump, bump! "{That hurt|Ouch}," it said. "But I will not give up." [aF] saw it and had an idea. "{I can help you|Let me help you, little [thing]}," said [F]. [^F] took {five red balloons|a big balloon|a kite with a long string} and tied it to [P]. They went up to the top of the hill. The wind began to blow.
And then [P] flew! Up it went, over the {trees|roofs} and over the river. {"I am flying! I am really flying!" it cried.|The birds looked at it with big eyes.} It flew all around the village, and everyone waved. In the evening, it came down softly, right next to [F]. "{Thank you|That was my dream}," said [P]. {And all the others asked, "May we fly, too?"|That night, it dreamed of the clouds.}""",
    moral="Never give up on your dreams.")]

TOY_PLOTS = [dict(
    name="toy_lost", topics=["losing a toy", "a lost toy"], who=["lost a [toy]", "got a new [toy]"], body="""
[P] had a {new|red|beautiful|blue} [toy]. [^p] loved it so much that [p] took it everywhere. One day, [P] went to {the park|the river|the beach|the market} with the [toy]. [^p] put it down for a moment to {look at a butterfly|pick a flower|eat an apple}. When [p] turned around, the [toy] was gone!
"{Where is my [toy]|Oh no, where is my [toy]}?" cried [P]. [^p] looked behind the bench and under the trees. It was not there. Then [p] met [aF]. "Have you seen my [toy]?" asked [P]. "{I saw a little dog with it|The wind took it over there|I think a child has it}," said [F]. "Come, I will help you." So they went and looked together.
At last, they found it {behind a tree|near the fountain|in the grass}. It was a little dirty, but it was not broken. "There you are!" said [P] and {held it tight|laughed}. "{Do you want to play with it, too|Shall we play together}?" [p] asked [F]. "{Yes, please|I would love to}," said [F]. So they played with the [toy] all day. {[P] had found the [toy] and a new friend, too.|It was even more fun with two.}""",
    moral="Toys are more fun when you share them."), dict(
    name="toy_share", topics=["sharing", "sharing a toy"], who=["did not want to share a [toy]", "shared a [toy]"], body="""
For [ps] birthday, [P] got a [toy]. It was the best [toy] in the whole town. [aF] came to see it. "{May I try it|Can I play with it, too}?" asked [F]. "No!" said [P]. "It is mine." [^F] was sad and went home.
[P] played with the [toy] alone. [^p] played in the morning, and [p] played in the afternoon. But it was {boring|not much fun}. Nobody laughed with [pm]. Nobody said, "{Well done|Wow}!" [P] thought about [F]. "{I was not nice|I was mean to my friend}," [p] said.
So [P] took the [toy] and went to [F]. "I am sorry," said [P]. "{Let us play with it together|You can have the first turn}." [^F] smiled at once. They played with the [toy] until it was dark. {They laughed, and they took turns.|First it was [F]'s turn, and then it was [P]'s turn.} "{Sharing is much more fun|It is better with you}," said [P]. And it was true.""",
    moral="Sharing is more fun."), dict(
    name="toy_make", topics=["making something", "being poor", "an old toy"], who=["wanted a [toy]", "made a [toy]", "found an old [toy]"], body="""
[P] wanted a [toy] more than anything. But [ps] family did not have much money. "{Maybe next year|I am sorry, my dear}," said [ps] mother. [P] nodded and tried not to cry.
One day, [p] found an old, broken [toy] in the attic. It was dirty, and a part was missing. "{I can fix it|Maybe it can be fixed}," said [P]. [^p] showed it to [aF]. "{Bring it to me|Let us see}," said [F]. They cleaned it, glued it, and painted it {red and yellow|blue with white stars|green with a golden stripe}. It took them a whole week.
When it was finished, it was the most beautiful [toy] of all. "{Where did you buy it|I want one like that}!" said the other children. "{You cannot buy it|We made it}," said [P] proudly. {[^p] let all of them try it.|And [p] never wanted another one.} "{Thank you|I could not have done it without you}," [p] said to [F].""",
    moral="The things you make yourself are the best."), dict(
    name="toy_magic", topics=["magic", "a magic toy", "a dream"], who=["had a magic [toy]", "found a magic [toy]"], body="""
One day, [P] found a [toy] in an old shop. "{Be careful with it|Take good care of it}," said the shopkeeper. "It is a magic [toy]." [P] laughed, but [p] took it home.
That night, the [toy] began to glow. "{Hello|Do not be afraid}," it said. "{Where do you want to go|I can take you anywhere}." "{To the moon|To the bottom of the sea|To the land of dragons|Over the clouds}!" said [P]. Whoosh! The [toy] became big, and [P] held on to it. They flew out of the window, over the roofs and the trees. {They met [aGn] who could talk.|They saw a castle made of glass.|They danced with the stars.} [P] had never been so happy.
When the sun came up, [P] woke up in [ps] own bed. The [toy] stood next to [pm], small and quiet. "{Was it only a dream|Did I dream it all}?" asked [P]. But there was {star dust|a little white feather|a tiny shell} on the [toy]. {[P] smiled. "See you tonight," [p] whispered.|And every night, they went on a new adventure.}""",
    moral="There is magic everywhere if you look for it.")]

PLACE_PLOTS = [dict(
    name="visit", who=[], topics=[], body="""
[P] had never seen [place]. "{Can we go there|I want to see it so much}," [p] said every day. One {sunny|bright|warm} morning, [ps] {mother|father|grandmother|grandfather} said, "Today is the day. We will go to see [place]!" [P] {jumped out of bed|was so excited that [p] put on two different shoes}.
When they arrived, [P] stood still. "{It is so beautiful|Wow}," [p] whispered. [^p] looked, listened, and smelled. Then [p] met [aF]. "{Is it your first time here|Are you new here}?" asked [F]. "{I know every corner here|I come here every day}. Come, I will show you everything!" So the two of them {explored|ran around} all day. {They found a secret path.|They found a shiny stone.|They made up a song.} They shared {an apple|a sandwich|some cookies} and told each other stories.
When the sun went down, it was time to go home. "{Please come back|Come back soon}," said [F]. "{I promise|Of course I will}," said [P]. On the way home, [p] fell asleep. {And [p] dreamed of [place] all night.|It was the best day that [p] could remember.}""",
    moral="There is always something new to see."), dict(
    name="place_lost", who=[], topics=[], body="""
One day, [P] went to [place]. [^p] had heard many stories about it. "{They say there is a secret there|They say it is magical}," said [P]. At first, everything was quiet. Then [p] heard a small voice. "{Can anyone help me|Is somebody there}?" It was [aF]. "{I am lost|I cannot find my way home}," said [F].
"{Do not cry|Do not worry}," said [P]. "We will find the way together." They walked for a long time. They {crossed a stream|climbed a big rock|followed a narrow path}. They saw {strange footprints|a thousand little lights|a very old tree}. [^F] was afraid, but [P] held on to [fm]. "{Look|Over there}!" called [P] at last. There was a light in the distance. It was [F]'s home!
[^F]'s mother was so happy that she {cried|hugged them both}. She gave them {hot soup|warm cake and milk}. "{You are a good friend|You have a brave heart}," she said to [P]. {Since that day, [P] goes to [place] every week to play with [F].|And that was the real secret of [place]: a new friend was waiting there.}""",
    moral="You can find a friend anywhere.")]

PLACES = """the forest, the sea, the moon, a castle, a farm, the beach, a garden, the zoo, an island, a cave, the city,
the mountains, the desert, the jungle, a river, the ocean, the circus, the market, a lake, the library, a lighthouse, the park,
the museum, a big tree, an old house, a magic forest, the playground, a waterfall, the rain, the snow, a rainbow, the stars,
a volcano, the north pole, the train station, the harbor, a toy shop, a bakery, a candy store, a tower, a bridge, the sky,
a swamp, outer space, another planet, a village, the fair, the swimming pool, a treehouse, the woods""".replace("\n", " ").split(", ")
