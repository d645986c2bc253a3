"""Plot skeletons of the story generator (data, hence longer than 600 lines is fine).

Each plot is a dict:
  topics  what a story of this plot is "about" in a request ("sharing", ...)
  who     relative clauses for requests ("a fox who [who]"); they agree with `choose`
  adj     adjectives that suit the hero
  choose  slots fixed once per story, expanded in order
  body    the text after the opening sentence; lines are paragraphs
  moral   the lesson, for "what is the moral" questions and some endings
Slots: P hero, p/pm/ps/pf he/him/his/himself; F friend, f/fm/fs/ff; aF "a kind
owl named Bo"; Fn the friend's noun; home, land, spot, spot2, area, area2, go,
food, treat belong to the hero's habitat.
"""

PLOTS = []


def plot(name, topics, who, adj, choose, body, moral):
    PLOTS.append(dict(name=name, topics=topics, who=who, adj=adj, choose=choose, body=body.strip(), moral=moral))


plot("lost_thing", ["losing something", "helping", "a lost [item]", "looking for things"],
     ["lost [ps] [item]", "could not find [ps] [item]", "loses a [item]"], "happy,little,young,busy,silly,playful",
     {"item": "[treasure]"}, """
[P] had a [item], and [p] {loved it very much|took it everywhere|loved it more than anything}. {One morning|One day|One sunny day}, the [item] was gone! [P] looked [spot], but it was not there. [^p] looked [spot2], but it was not there {either|}. "{Oh no|Oh dear}," said [P]. "Where is my [item]?"
{Just then|Soon}, [aF] came along. "{Why are you sad|What is wrong|Why are you crying}?" asked [F]. "I lost my [item]," said [P]. "{Do not worry|Do not cry|Don't be sad}," said [F]. "{I will help you|We can look together|Let us look for it together}." So they [go] to [area] and looked everywhere. {At last|After a while}, [F] {pointed up|saw something|called out}. {"Look! There it is!"|"Is this your [item]?"} The [item] was {hanging on a branch|lying in the sun|half hidden under a leaf|behind a big stone}. {The wind had carried it there.|It had been there all the time.|}
[P] was so {happy|glad} that [p] {danced|jumped for joy|gave [F] a big hug|laughed out loud}. "Thank you, [F]!" [p] said. "{You are a good friend|You are very kind|I am so lucky to have you}." {From that day on, [P] always took good care of the [item].|From then on, the two of them were best friends.|That evening, they had [food] together and talked until the stars came out.}""",
     "It is easier to find what you lost when a friend helps you.")

plot("lost_way", ["getting lost", "finding the way home", "the night", "the stars"],
     ["got lost", "could not find the way home", "was lost in the dark", "went too far from home"], "little,young,curious,small",
     {"thing": "{a blue butterfly|a shiny bug|a rolling ball|a funny sound|a floating feather|a red leaf}"}, """
{One day|One afternoon|One evening}, [P] followed [thing] {far away from home|past [area] and even farther}. [^p] was having so much fun that [p] forgot to look back. {Then the sun went down.|Soon it was dark.} [P] looked around, but [p] did not know the way home. "{I am lost|Oh no, I am lost}," [p] {whispered|said} and {began to cry|felt very small}.
[aF] heard [pm]. "Why are you crying?" asked [F]. "I want to go home, but I do not know the way," said [P]. [^F] {smiled|nodded}. "{Look up|Look at the sky}," [f] said. "Do you see that bright star? It shines over your home. {Follow it with me|We will follow it together}." So the two of them [go] under the {bright star|starry sky}, past [area] and past [area2]. {They sang a song so that they would not be afraid.|They talked and laughed all the way.|}
{At last|Soon}, [P] saw [ps] home. "{We found it|There it is|I am home}!" [p] cried. [^P] thanked [F] and gave [fm] some [food]. {That night, [P] slept very well.|From that day on, [P] always told someone before going far away.|And whenever [p] saw the bright star, [p] thought of [ps] new friend.}""",
     "When you are lost, stay calm and ask for help.")

plot("sharing", ["sharing", "being kind", "a [thing]", "generosity", "being greedy"],
     ["did not want to share", "learned to share", "found a [thing]", "was greedy"], "greedy,selfish,hungry,little,proud",
     {"thing": "[treat]"}, """
One day, [P] found a [thing] [spot]. "{This is all mine|It is all for me|What luck}!" said [P]. [^p] {hid it|took it} [spot2] so that nobody would see it.
Then [aF] came by. "I am so hungry," said [F]. "{May I have a little bit|Can you give me some|Will you share with me}?" "No," said [P]. "{It is mine|I found it, and I will eat it alone|I want it all}." [^F] {walked away sadly|was sad and went away}. [P] began to eat. But {eating alone was no fun|it did not taste good|[p] felt lonely}. [^p] thought of [F] and {felt bad|was sorry|felt ashamed}.
So [P] [go] after [F]. "{Wait|Please wait}!" [p] called. "I am sorry. {Let us eat together|Please have half of it|There is enough for both of us}." [^F] {smiled|was very happy}. They sat down {side by side|in the sun|together} and shared the [thing]. {It tasted better than anything before.|Now it tasted wonderful.|They laughed and told stories until it was dark.} {From that day on, [P] always shared with [ps] friends.|[P] learned that sharing makes everything taste better.|And so [P] found a friend, which is better than any [thing].}""",
     "Sharing makes you happier than keeping everything for yourself.")

plot("fear_dark", ["being brave", "the dark", "courage", "the night"],
     ["was afraid of the dark", "is scared of the dark", "could not sleep in the dark"], "little,shy,small,young",
     {"thing": "{a lantern|a little lamp|a jar of fireflies|a small candle}"}, """
[P] was afraid of the dark. Every night, when the sun went down, [p] {hid under a blanket|closed [ps] eyes tight|shook with fear}. "{There is something out there|The dark is too big|I do not like the dark}," [p] said.
One night, [aF] {came to visit|knocked at the door|heard [pm]}. "Come outside with me," said [F]. "I want to show you something." [^P] was scared, but [p] {took a deep breath|held on to [F]|was also curious}, and they went out together. [^F] had brought [thing], but soon [f] put it out. "Now look up," [f] said. [^P] looked up, and [p] {could not believe [ps] eyes|was amazed}. The sky was full of stars! {The moon was round and bright.|The moon smiled down at them.} "{You can only see them in the dark|Without the dark, there would be no stars}," said [F].
[P] {smiled|laughed}. {"The dark is beautiful," [p] said.|"Then the dark is not so bad," [p] said.} From that night on, [P] was not afraid anymore. {[^p] counted the stars until [p] fell asleep.|Every evening, [p] said good night to the stars.|}""",
     "Things are less scary when you look at them with a friend.")

plot("fear_thing", ["being brave", "courage", "being afraid", "trying new things"],
     ["was afraid of [fear]", "is scared of [fear]", "became brave"], "shy,little,careful,timid,quiet",
     {"fear": "{thunder|deep water|high places|loud noises|the big bridge|strangers|the wind|spiders}"}, """
[P] was afraid of [fear]. When [ps] friends played, [P] stayed {at home|behind} and watched. "I wish I were brave," [p] {said|sighed}.
One day, [P] heard a cry for help. It was [aF]. [^F] was {stuck [spot]|caught [spot]|in trouble near [area]}, and nobody else was there. [^P] thought of [fear], and [ps] heart went {boom, boom, boom|very fast}. But [F] needed help. "{I am scared, but I will try|I can do this|I have to be brave now}," said [P]. [^p] {took a deep breath|closed [ps] eyes for a moment|counted to three} and [go] to [F]. {Step by step, [p] came closer.|[^p] did not stop and did not look back.} [^p] pulled and pulled, and at last [F] was free.
"Thank you! You are so brave," said [F]. "{But I was afraid the whole time|But I was scared|Me? I was shaking}," said [P]. [^F] {smiled|laughed}. "{That is what brave means|Being brave means that you are afraid and do it anyway|Only brave ones help when they are afraid}," [f] said. {From that day on, [P] was not so afraid of [fear] anymore.|That night, [P] went to bed with a big smile.|And [P] felt proud from head to toe.}""",
     "Being brave means doing the right thing even when you are afraid.")

plot("lonely", ["friendship", "making friends", "being lonely", "a new friend"],
     ["was lonely", "had no friends", "wanted a friend", "made a new friend", "was looking for a friend"], "lonely,shy,quiet,little,new",
     {"game": "{hide and seek|tag|catch|marbles|ball|a guessing game}"}, """
[P] {was often lonely|had no friends|had nobody to play with}. Every day, [p] [go] to [area] alone and came back alone. "{I wish I had a friend|If only I had a friend}," said [P].
One day, [P] saw someone sitting [spot]. It was [aF]. [^F] looked {sad|lonely|shy}, too. [P] wanted to say hello, but [p] was {shy|a little afraid}. {[^p] waited and waited.|What if [F] did not like [pm]?} {At last|Then} [p] {took a deep breath|was brave} and said, "Hello! My name is [Pname]. {Do you want to play with me|Would you like to play|Will you be my friend}?" [^F] looked up and smiled. "{Yes, I would love to|Oh yes, please|I was hoping that someone would ask}," said [F]. "{I am new here|I just moved here|I have no friends yet}."
So they played [game] until {the sun went down|it was dark|they were tired}. {They laughed so much that their bellies hurt.|It was the best day of all.} "{Will you come back tomorrow|Can we play again tomorrow}?" asked [F]. "{Of course|Yes, and the day after that, too}!" said [P]. From that day on, {they were best friends|[P] was never lonely again|they played together every day}.""",
     "A friendly hello can be the start of a friendship.")

plot("rescue", ["helping others", "kindness", "being a hero", "saving someone"],
     ["helped a friend", "saved [aFn]", "was a hero", "helped [aFn]"], "kind,brave,strong,helpful,good,bold",
     {"trap": "{in the mud|in a net|under a fallen branch|in a deep hole|between two rocks|in a thorny bush}",
      "tool": "{a long rope|a strong stick|a big branch|a thick vine}"}, """
One day, [P] was on the way to [area] when [p] heard a voice. "Help! Help!" {it cried|called the voice}. [P] [go] toward the sound. There was [aF], stuck [trap]. "{Please help me|I cannot get out}," said [F].
"Hold on!" said [P]. [^p] pulled as hard as [p] could, but [F] did not move. Then [P] had an idea. [^p] found [tool]. "{Hold on to this|Take this and hold it tight}," said [P]. "One, two, three!" [^p] pulled {and pulled|with all [ps] strength}, and {pop|plop}! [^F] was free.
"Thank you, [Pname]," said [F]. "{You saved me|I will never forget this}." "{I am glad that you are safe|That is what friends are for|You are welcome}," said [P]. {A few days later, [P] {was in trouble|lost [ps] way} near [area2], and who came to help? It was [F]!|To say thank you, [F] gave [P] a [treat], and they ate it together.|Everyone heard about it, and they all called [P] a hero.} {From then on, they always looked out for each other.|And so they became good friends.|}""",
     "If you help others, they will help you, too.")

plot("dream", ["practice", "never giving up", "learning to [skill]", "following your dream", "hard work"],
     ["wanted to [skill]", "could not [skill]", "learned to [skill]", "wants to [skill]", "dreamed of being able to [skill]"],
     "little,young,small,clumsy,cheerful",
     {"skill": "{sing|dance|paint|whistle|juggle|play the drum|play the flute|read|write|cook|count to one hundred|stand on one leg|do magic tricks}"}, """
More than anything, [P] wanted to [skill]. But every time [p] tried, {it went wrong|it did not work|something funny happened}. {Some of the others laughed.|The others shook their heads.} "You will never learn to [skill]," they said. [P] was sad and [go] to [area].
There [p] met [aF]. "Why do you look so sad?" asked [F]. "I want to [skill], but I cannot do it," said [P]. "{Nobody can do it the first time|I could not do it at first, either}," said [F]. "{Try again|Practice a little every day}, and I will help you." So [P] practiced. The first day, it went badly. The second day, it went a little better. [^p] practiced {in the morning and in the evening|in the sun and in the rain|every single day}, and [p] did not give up.
{After many weeks|One day|At the big summer party}, [P] stood in front of everyone. [^ps] knees were shaking, but then [p] began to [skill]. {It was wonderful!|It was perfect!} Everyone {clapped and cheered|was amazed}. "{How did you do that|How did you learn that}?" they asked. "{I never gave up|I practiced every day, and I had a good friend}," said [P]{ with a smile|}.""",
     "If you practice and never give up, you can learn almost anything.")

plot("storm", ["a storm", "helping each other", "the rain", "bad weather"],
     ["lived through a storm", "got caught in the rain", "found shelter from a storm"], "kind,little,cheerful,brave",
     {"place": "{an old shed|a dry cave|a hollow log|a big empty barrel|a little hut}"}, """
One afternoon, {dark clouds came|the sky turned gray|the wind began to blow}. {Then came the rain|Soon rain began to fall}, and there was thunder, too. Boom! [P] was far from home. [^p] [go] as fast as [p] could and found [place]. "{I will be safe here|Here I can wait}," said [P].
{After a while|Soon}, there was a knock. It was [aF], all wet and cold. "May I come in?" asked [F]. "{Of course|Come in, come in}," said [P]. A little later came [aG]. "{Is there room for me|Is there a place for me, too}?" asked [G]. It was a very small place, but [P] said, "{There is always room for a friend|We will all fit in}." So the three of them sat close together. {They told stories and sang songs.|[^F] told a funny story, and they all laughed.|They shared some [food].} The storm did not seem so scary anymore.
{When they woke up|At last}, the rain stopped and the sun came out. "Look!" cried [F]. There was a big rainbow {over the hills|in the sky|over the trees}. {"What a nice end to a bad day," said [P].|The three new friends went outside and danced under it.|"I am glad that I was not alone," said [P].}""",
     "A storm is not so bad when friends are together.")

plot("mystery_find", ["a secret", "a mystery", "finding something strange", "being curious", "an adventure", "a [thing]"],
     ["found a [thing]", "finds a [thing]", "discovered a secret", "went on an adventure"], "curious,clever,bold,smart,young",
     {"thing": "{golden key|tiny door|old wooden box|strange map|glowing stone|silver key|dusty old book}",
      "inside": "{a room full of books and soft pillows|a beautiful garden with flowers of every color|a music box that played a sweet song|a letter that said: You are a good friend|a hundred tiny lights that danced in the air|an old drum and a picture of a happy family}"}, """
One day, [P] found a [thing] [spot]. "{What is this|Where does this come from}?" [p] {wondered|said}. [^p] showed it to [aF]. [^F] looked at it {for a long time|from all sides}. "{I have seen something like this before|I think I know}," said [F]. "{It belongs to a secret place near [area]|There is an old story about it. We must go to [area]}."
So [P] and [F] went to [area]. They looked {high and low|left and right|everywhere}. {Then [P] saw something behind the leaves.|Then [F] found a strange mark on a stone.|Then [P] heard a soft sound.} "{Here it is|Look, over there|I found it}!" [p] cried. {Slowly|Carefully}, they came closer and looked. Inside was [inside].
"{It is beautiful|How wonderful}," said [P]. "{Shall we tell the others|Who put it here}?" "{Let us keep it as our secret|Maybe it was waiting for us}," said [F]{ and smiled|}. {From that day on, they came back every week.|From then on, it was their secret place.|They were so happy that they danced all the way home.} {And [P] never stopped being curious.|}""",
     "Curious eyes find wonderful things.")

plot("seed", ["patience", "planting a seed", "growing things", "a garden", "waiting", "a flower", "spring"],
     ["planted a seed", "had a garden", "had to be patient", "grew a [plant]"], "patient,little,busy,curious,happy",
     {"plant": "{sunflower|pumpkin|apple tree|rose|strawberry plant|bean plant|tulip}"}, """
One spring day, [P] found a tiny seed. "I will plant it," said [P]. [^p] made a hole in the ground, put the seed in, and gave it some water. Then [p] sat down and waited. Nothing happened.
The next day, [P] looked again. Still nothing. "{Why does it not grow|Grow, little seed, grow}!" [p] said. [aF] came by and laughed kindly. "{A seed needs time|You must be patient}," said [F]. "{Give it water and sun, and wait|Good things take time}." So [P] gave it water every day. [^p] sang to it {in the morning|every evening}, and [p] told it stories. {Days passed, and weeks passed.|It rained, and the sun shone, and it rained again.}
Then, one morning, there was a small green leaf! [P] {jumped for joy|was so happy|danced around it}. The leaf became a stem, and the stem grew and grew. {By summer|At last}, it was a beautiful [plant]. "{You were right|It was worth the wait}," said [P] to [F]. {They sat in its shade together|They had a little party next to it|Everyone came to see it}, and [P] was {very proud|the happiest of all}.""",
     "Good things take time, so be patient.")

plot("race", ["a race", "winning and losing", "being too proud", "being fair"],
     ["was too proud", "ran a race", "wanted to win a race", "thought [p] was the fastest"], "fast,proud,quick,strong",
     {"prize": "{a golden cup|a big cake|a blue ribbon|a shiny medal}"}, """
[P] was fast, and [p] knew it. "I am the fastest in all of [land]," [p] told everyone. "Nobody can beat me!" {The others were tired of hearing it.|} One day, [aF] said, "Let us have a race to [area]." [^P] laughed. "{You are much too slow|That will be easy}," [p] said. The prize was [prize].
{Ready, steady, go!|One, two, three, go!} [P] was soon far ahead. {[^p] looked back and saw nobody.|} "{I have lots of time|I will take a little rest}," [p] said. [^p] sat down [spot] and {fell asleep|closed [ps] eyes}. [^F] was slow, but [f] did not stop. Step by step, [f] {came closer|went on}. When [P] woke up, it was late. [^p] [go] as fast as [p] could, but it was no use. [^F] was already there!
"{You won|You beat me}," said [P]{ quietly|}. "{I was too proud, and I am sorry|I should not have laughed at you}." [^F] {smiled|was not angry}. "{Let us share the prize|Come, we will celebrate together}," [f] said. {From that day on, [P] was still fast, but [p] did not boast anymore.|And [P] learned that slow and steady can win the race.}""",
     "Do not be too proud, and never stop halfway.")

plot("lie", ["telling the truth", "honesty", "lying", "a broken [thing]"],
     ["told a lie", "broke a [thing]", "learned to tell the truth", "broke something"], "silly,wild,young,playful,naughty",
     {"thing": "{blue vase|big plate|old clock|flower pot|tea cup|little mirror}"}, """
[aF] had a beautiful [thing]. {One rainy day|One day}, [P] was playing near it. [^p] jumped and turned, and {crash|bang}! The [thing] fell down and broke. [P] was {scared|very scared}. [^p] hid the pieces [spot].
When [F] came back, [f] asked, "{Where is my [thing]|What happened to my [thing]|Have you seen my [thing]}?" "{I do not know|It was the wind}," said [P]. But that was a lie, and [P] felt a heavy stone in [ps] tummy. [^p] could not eat. [^p] could not play. That night, [p] could not sleep.
In the morning, [P] went to [F]. "{I have to tell you something|I told you a lie}," [p] said. "I broke your [thing]. I am very sorry." [^F] was quiet for a moment. Then [f] {hugged [pm]|smiled}. "{Thank you for telling me the truth|It takes courage to tell the truth}," said [F]. "{Things can break. A friend is more important|We can fix it together}." {So they took some glue and put the pieces back together.|Together they made a new one, and it was even prettier.} {The heavy stone was gone, and [P] felt light again.|From that day on, [P] always told the truth.}""",
     "It is always better to tell the truth.")

plot("birthday", ["a birthday", "a surprise", "a party", "a birthday party"],
     ["had a birthday", "thought everyone forgot [ps] birthday", "got a surprise"], "happy,little,sweet,cheerful,young",
     {"gift": "{a new hat|a little drum|a warm scarf|a kite|a picture of all the friends|a big ball|a book of stories}"}, """
It was [Pname]'s birthday. [^p] woke up {early|with a smile} and waited for [ps] friends. But nobody came. [P] [go] to see [aF]. "{Do you know what day it is|Today is a special day}," said [P]. "{It is Tuesday, I think|I have no time, I am sorry}," said [F] and {hurried away|closed the door}. Then [P] met [aG], but [G] said, "{I am busy today|I cannot talk now}," and was gone.
"{Everyone forgot my birthday|Nobody remembers me}," said [P]. [^p] sat down [spot] and {a tear rolled down|felt very sad}. {In the evening|When the sun went down}, [p] went home slowly. It was dark inside. [P] opened the door.
"Surprise!" There were [F] and [G] and all the friends! There were {balloons|lanterns|flowers} everywhere and a big cake in the middle. "{We were busy with your party all day|We did not forget you}," said [F]. "Happy birthday, [Pname]!" They gave [pm] [gift]. {They ate cake, sang songs, and danced until late.|They played games and ate cake until nobody could eat anymore.} {It was the best birthday ever.|"This is the best day of my life," said [P].}""",
     "Good friends do not forget you.")

plot("build", ["building something", "working together", "teamwork", "a [thing]"],
     ["built a [thing]", "wanted to build a [thing]", "did everything alone"], "busy,clever,proud,smart,strong",
     {"thing": "{tree house|boat|little house|bridge|tower|wagon|raft}"}, """
One day, [P] wanted to build a [thing]. "Can I help you?" asked [aF]. "No, thank you," said [P]. "I can do it alone." So [P] worked all day. [^p] {hammered and carried|pushed and pulled|cut wood and tied ropes}. But in the evening, the [thing] {fell down with a crash|fell apart|was crooked}. 
The next day, [P] tried again, and again it fell apart. [^p] was {tired|angry} and sat down [spot]. [^F] came back and sat next to [pm]. "{Two can do more than one|Shall we try it together}," said [F]. [^P] thought about it. "{Yes, please help me|I was silly. Please help me}," [p] said at last.
So they worked together. [^P] held the wood, and [F] {hammered|tied the ropes}. [^F] had good ideas, and [P] had strong {arms|hands and a strong heart}. {By the end of the day|When the sun went down}, the [thing] was finished, and it did not fall apart. "{We did it|Look what we made}!" they cried. {That evening, they sat in front of it and ate [food].|It was the best [thing] in all of [land].} {"Together is better," said [P].|From then on, they built everything together.}""",
     "Together you can do more than alone.")

plot("soup", ["making soup", "cooking", "working together", "a feast", "dinner"],
     ["made soup", "cooked dinner for friends", "had nothing to eat but shared"], "hungry,cheerful,clever,kind,jolly",
     {"soup": "{vegetable soup|pumpkin soup|mushroom soup|tomato soup|a big stew}"}, """
One cold day, [P] wanted to make [soup]. [^p] had a big pot and some water, but nothing else. "{Water alone is no soup|This will be a thin soup}," [p] said. {Then [p] had an idea.|}
[P] went to [aF]. "I have a pot and a fire," [p] said. "{Will you make soup with me|Do you have something for the soup}?" "I have {two carrots|some potatoes|an onion}," said [F]. "{I will bring them|Wait, I am coming}." Then they met [aG]. "I have {some salt and a tomato|a bag of beans|fresh mushrooms}," said [G]. "{May I come, too|Can I join you}?" "Of course!" said [P].
They put everything into the pot and stirred. {Soon it smelled wonderful.|The steam smelled so good that others came, too.} When the soup was ready, everyone got a big bowl. "{This is the best soup in the world|I have never eaten such good soup}," said [F]. "{That is because everyone gave a little|It tastes of friendship}," said [P]. {They ate until the pot was empty, and they were warm and happy.|And every winter after that, they made soup together.}""",
     "When everyone gives a little, there is enough for all.")

plot("sick", ["being sick", "caring for a friend", "kindness", "getting well"],
     ["was sick", "took care of a sick friend", "had a cold"], "kind,gentle,good,sweet,caring",
     {"cure": "{hot soup|warm tea with honey|a soft blanket|a funny story|fresh flowers}"}, """
One morning, [P] wanted to play with [ps] friend, [aF]. But [F] was in bed. "Achoo!" said [F]. "{I am sick|I have a cold|My nose is running and my head hurts}. I cannot play today." [P] was sorry for [fm].
"{I will take care of you|Do not worry, I will help you}," said [P]. [^p] [go] home and brought [cure]. [^p] sat next to the bed and {sang a song|told a story|read from a book}. {In the evening, [p] made tea.|[^p] opened the window to let in the sun.} The next day, [P] came again, and the day after that, too.
After three days, [F] {felt better|jumped out of bed}. "{I am well again|You made me well}," [f] said. "Thank you, [Pname]." {A week later, guess what? [P] said, "Achoo!" And this time, [F] took care of [pm].|They went out into the sun and played all day.|"You are the best doctor of all," said [F], and they both laughed.}""",
     "A good friend is there for you when you are sick.")

plot("sleep", ["bedtime", "going to sleep", "the moon", "a dream", "sleeping"],
     ["could not sleep", "did not want to go to bed", "wanted to stay awake", "talked to the moon"], "sleepy,little,tired,young,sweet",
     {"dream": "{flying over the clouds|a boat made of moonlight|a garden of stars|dancing on the moon|a river of honey}"}, """
It was late, and everyone was asleep. Only [P] was still awake. [^p] turned to the left. [^p] turned to the right. "I cannot sleep," said [P]. [^p] tried to count {sheep|stars|clouds}, but {it did not help|[p] was still awake}.
So [P] looked out at the moon. "Moon, why can't I sleep?" [p] asked. {The moon was quiet and bright.|A soft wind was blowing.} Then [aF] {came by|woke up}. "{I will tell you a secret|Listen}," said [F] softly. "{Close your eyes and think of the nicest thing of the day|Listen to the wind. It sings a song for you}." [^P] closed [ps] eyes. [^p] thought of {the warm sun|playing in the grass|[ps] good friends} and of {the smell of the flowers|the soft rain|the song of the birds}. [^ps] breath became slow, and [ps] eyes became heavy.
Soon [P] was asleep. [^p] dreamed of [dream]. {The moon watched over [pm] all night.|"Good night," whispered [F].} {Good night, [Pname]. Sleep well.|And in the morning, [p] woke up with a smile.}""",
     "Happy thoughts help you to sleep.")

plot("snow", ["winter", "the first snow", "snow", "a snowman", "a snow day"],
     ["saw snow for the first time", "built a snowman", "loved the snow"], "happy,little,curious,playful,excited",
     {"nose": "{a carrot|a pinecone|a red berry|a small stick}"}, """
One morning, [P] woke up, and everything was white. "{What is this|The world is white}!" [p] cried. It was the first snow of the year! [P] [go] outside. {The snow was cold and soft.|A snowflake landed on [ps] nose. It tickled.}
[aF] was there, too. "{Let us build a snowman|Do you want to build a snowman}!" said [F]. They rolled a big ball, then a smaller ball, and then a tiny ball. They used stones for the eyes and [nose] for the nose. "{He needs a hat|Something is missing}," said [P]. So [F] put an old hat on the snowman. {"Now he looks very fine," said [P].|The snowman seemed to smile.}
They threw snowballs and slid down the hill all day. {When they were cold, they went inside and drank hot chocolate.|At last they were cold and tired, and they went home for some warm soup.} {From the window, they could see the snowman in the moonlight.|"I hope it snows again tomorrow," said [P].} {And do you know what? The snowman winked at them.|It was a perfect winter day.}""",
     "Winter is fun when you have a friend.")

plot("noise", ["a strange noise", "a ghost", "being scared at night", "a mystery", "something scary", "Halloween"],
     ["heard a strange noise", "was scared at night", "thought there was a ghost"], "brave,little,nervous,curious",
     {"sound": "{tap, tap, tap|whoo, whoo|scratch, scratch|bump, bump, bump|creak, creak}"}, """
One night, [P] heard a strange noise. [^sound]! It came from outside. "{What was that|Is it a ghost|Who is there}?" [p] whispered. [^P] hid under the blanket. But the noise came again. [^sound]!
[P] was scared, but [p] was also curious. [^p] took a lamp and {tiptoed|went slowly} to the door. [^sound]! [^ps] heart was beating fast. {One, two, three.|} [P] opened the door. There was no ghost and no monster. There was only [aF], who {had lost the way|was cold|wanted to come in|was looking for food}. "{I am sorry|Oh, I did not want to scare you}," said [F]. "{It was me who made the noise|I did not know how to call you}."
[P] laughed. "I thought you were a ghost!" [p] said. "{Come in and get warm|Come in, I have some [food]}." So they sat together and {talked|told stories} until late. {"The night is not so scary when you look behind the door," said [P].|After that, when [P] heard a noise at night, [p] just smiled.}""",
     "Many scary things are not scary when you look closely.")

plot("different", ["being different", "being yourself", "being small", "being special"],
     ["was different", "was too small", "was different from the others", "did not like being small"], "small,tiny,little,odd,quiet",
     {"flaw": "{small|slow|quiet|shy}"}, """
[P] was different from the others. [^p] was very [flaw]. "You are too [flaw] to play with us," said the others. [P] was sad. "{Why can I not be like the others|Why am I so [flaw]}?" [p] asked.
One day, there was trouble near [area]. [aF] had {dropped a key into a narrow crack|lost a ring in a deep hole|fallen asleep while a fire was starting nearby|lost a baby in the thick bushes}. The others tried to help, but they {were too big and too loud|were too fast and saw nothing|did not know what to do}. Then [P] came. "{Let me try|I think I can help}," [p] said. {Because [p] was so [flaw], [p] saw what nobody else had seen.|[^p] was so careful that everything went well.} Soon everything was fine again.
Everyone cheered. "{You saved the day|We were wrong}," they said. "{We are sorry that we laughed at you|Please come and play with us}." [^F] said, "{It is good that you are you|You are just right the way you are}." {[P] smiled. It was good to be different.|From that day on, [P] liked [pf] just the way [p] was.}""",
     "Everyone is special, and you are good just the way you are.")

plot("journey", ["a journey", "an adventure", "a trip", "seeing the world", "coming home"],
     ["wanted to see [goal]", "went on a long journey", "left home to see the world", "went on an adventure"], "curious,brave,young,bold,lively",
     {"goal": "{the sea|the big mountain|the city|the other side of the hill|the end of the rainbow|the great waterfall}"}, """
[P] had always wanted to see [goal]. One day, [p] packed {a small bag|some [food]} and said, "Today I will go." {The path was long.|It was a long way.} On the first day, [P] {climbed over rocks|crossed a little bridge|went through a dark forest}. On the second day, it rained, and [p] got wet.
On the third day, [p] met [aF]. "Where are you going?" asked [F]. "I want to see [goal]," said [P]. "{I have never been there|I have always wanted to see it, too}. May I come with you?" asked [F]. "{I would be happy|Yes, it is more fun together}," said [P]. So they went on together. {They shared their food and sang songs.|At night, they looked at the stars.}
At last, they saw it. "{It is so big|How beautiful}!" whispered [P]. They sat down and looked at [goal] for a long time. {The sun went down, and everything was golden.|They did not need any words.} {Then [P] thought of home. "Now I want to go back and tell everyone about it," [p] said.|"Thank you for coming with me," said [P].} {And when [p] came home, [p] had a new friend and a great story to tell.|Home never looked so nice as on the day [p] came back.}""",
     "The best part of a journey is the friend you find on the way.")

plot("wish", ["a wish", "magic", "being happy with what you have", "a fairy", "a magic wish"],
     ["made a wish", "got a magic wish", "wished to be a [other]", "wanted to be someone else"], "silly,young,unhappy,little",
     {"other": "{cloud|bird|king|giant|star|tree|fish|bear}", "giver": "{a fairy|a falling star|an old magic lamp|a tiny wizard|a talking fish}"}, """
[P] was not happy. "I wish I were a [other]," [p] said every day. One evening, [giver] appeared in front of [pm]. "{I heard your wish|You may have one wish}," said a soft voice. "Do you really want to be a [other]?" "{Yes, please|Oh yes}!" said [P]. {Puff|Whoosh}! And [P] was a [other].
At first, it was {great fun|wonderful}. But soon [P] {felt strange|felt alone}. [^p] saw [ps] friends playing near [area], but they did not know [pm] anymore. [aF] looked everywhere and called, "[Pname], where are you?" [P] wanted to answer, but {no one could hear [pm]|nobody knew who [p] was}. [P] began to cry. "{I want to be myself again|I made a mistake}," [p] said.
{Puff|Whoosh}! And [P] was [pf] again. [^p] [go] to [F] and hugged [fm]. "{I am so glad that you are back|There you are}," said [F]. "{I am glad that I am me|It is best to be myself}," said [P]. {From that day on, [p] never wished to be someone else.|And [p] was happy with what [p] had.}""",
     "Be happy with who you are.")

plot("quarrel", ["a fight between friends", "saying sorry", "forgiveness", "a quarrel", "being angry"],
     ["was angry", "had a fight with a friend", "learned to say sorry"], "angry,stubborn,grumpy,loud,little",
     {"toy": "{ball|kite|swing|wagon|drum|boat}"}, """
[P] and [ps] best friend, [aF], played together every day. But one day, they both wanted the same [toy]. "{It is my turn|I had it first}!" said [P]. "No, {it is my turn|I had it first}!" said [F]. They pulled and shouted, and {crack|rip}, the [toy] broke. "{It is your fault|I do not want to play with you anymore}!" cried [P]. Both of them went home angry.
The next day, [P] played alone. But it was {boring|no fun}. [^p] missed [F]. {"A broken [toy] is not as bad as a lost friend," [p] thought.|[^p] remembered all the fun they had had.} So [P] {picked some flowers|took a [treat]} and went to see [F]. On the way, near [area], [p] met [F], who was coming to see [pm]!
"I am sorry," they both said at the same time. Then they {laughed|hugged}. "{Let us fix it together|We can make a new one}," said [F]. {They worked all afternoon, and the [toy] was better than before.|And after that, they took turns.} {They never had such a bad fight again.|From that day on, when they were angry, they talked first.}""",
     "It is good to say sorry, because friends are more important than toys.")

plot("gift", ["a gift", "giving", "love", "a mother", "family", "Christmas"],
     ["made a gift", "wanted to give a gift to a friend", "looked for the perfect gift"], "kind,sweet,loving,little,good",
     {"bad": "{a hat, but it was too big|a cake, but it burned|a scarf, but it had a hole}", "who2": "{mother|grandmother|father|grandfather}"}, """
It was almost the birthday of [Pname]'s [who2]. [P] wanted to give a very special gift, but [p] had no money. "What can I do?" [p] asked. First [p] made [bad]. {"Oh no," said [P].|[P] was sad.}
Then [p] met [aF]. "{What is the matter|You look worried}," said [F]. "I need a gift, and I do not have one," said [P]. "{What does your [who2] like best|Think of what makes your [who2] happy}," said [F]. [^P] thought and thought. {Then [ps] eyes became bright.|"I know!" [p] cried.} [^p] went to [area] and picked flowers, one of every color. Then [p] made up a little song.
On the birthday, [P] gave the flowers and sang the song. [^ps] [who2] had tears of joy. "{This is the best gift of all|Nobody ever made a song for me before}," said [ps] [who2] and hugged [pm] tight. {[P] was the happiest of all.|A gift from the heart is the best gift, and now [P] knew it.}""",
     "A gift from the heart is better than a gift from the store.")

plot("baby", ["a baby bird", "kindness", "taking care of someone", "a lost baby", "a mother"],
     ["found a baby bird", "helped a lost baby", "took care of a baby bird"], "kind,gentle,caring,good,sweet",
     {"baby": "{a baby bird|a tiny duckling|a lost kitten|a baby mouse|a small chick}"}, """
One day, [P] found [baby] [spot]. It was all alone, and it was crying. "{You poor little thing|Do not cry, little one}," said [P]. "Where is your mother?" But the little one only cried. [P] gave it some food and {kept it warm|wrapped it in a soft leaf}.
"We must find your mother," said [P]. They went to [area] and asked [aF]. "{Have you seen a mother who has lost her baby|Do you know where its mother is}?" asked [P]. "{I heard someone crying near [area2]|Yes, she is looking everywhere near [area2]}," said [F]. "{Come with me|I will show you the way}." So they went together. They called out loud, and they listened.
Suddenly, there was a happy cry. The mother came as fast as she could! She {hugged|kissed} her baby and cried for joy. "{Thank you for taking care of my little one|You have a good heart}," she said. [P] {waved goodbye|smiled}. {[^p] was a little sad, but mostly very happy.|"You can visit us every day," said the mother. And that is what [P] did.}""",
     "Take care of those who are smaller than you.")

plot("treasure", ["a treasure", "a treasure map", "pirates", "an adventure", "a treasure hunt"],
     ["found a treasure map", "looked for treasure", "went on a treasure hunt", "found a treasure"], "brave,bold,clever,adventurous,curious",
     {"real": "{a box full of old letters and a gold coin|a chest full of seeds for a garden|a chest full of shiny shells|a drum, a flute, and a bell|a big bag of chocolate coins}"}, """
One day, [P] found an old map [spot]. There was a red cross on it. "A treasure!" cried [P]. [^p] showed the map to [aF]. "{Let us find it|I will come with you}!" said [F]. They took {a shovel|a rope and a lamp} and set off.
First, the map led them to [area]. Then it led them past [area2]. "{Ten steps to the left|Now we must go around the big stone}," said [P]. {The way was dark, and they held on to each other.|It was hot, and they were tired, but they did not stop.} At last, they came to the red cross. They dug and dug. {Clonk!|Bump!} There was something hard in the ground. It was an old wooden chest!
{Slowly, they opened it.|[P] opened it with both hands.} Inside was [real]. "{What a wonderful treasure|How lovely}," said [F]. {They shared everything with their friends.|They carried it home and divided it fairly.} "{But do you know what the best treasure is|The best part was looking for it with you}," said [P]. {"A good friend," said [F] and smiled.|And both of them laughed.}""",
     "The best treasure is a good friend.")

plot("greedy", ["eating too much", "being greedy", "a tummy ache", "food"],
     ["ate too much", "was always hungry", "loved to eat", "ate a whole [thing]"], "greedy,hungry,round,silly,little",
     {"thing": "[treat]"}, """
[P] was always hungry. One day, there was a big party near [area]. Everyone had brought something good to eat. When nobody was looking, [P] {ate the pie|took the cake}. Then [p] ate the cookies. Then [p] found a [thing] and ate that, too. "{Just one more bite|A little more}," [p] said.
Soon [P] had a very bad tummy ache. "{Ow, ow, ow|Oh, my tummy hurts}," [p] {groaned|cried}. When the others came to eat, {the table was empty|there was almost nothing left}. "Who ate everything?" asked [aF]. [P] {turned red|looked at the ground}. "It was me," [p] said. "I am so sorry."
[^F] looked at [pm] and shook [fs] head. "{You poor thing|That must hurt}," said [F]. [^F] made some {tea|mint tea} for [pm]. {The next day, [P] made a new cake for everyone, and [p] ate only one small piece.|When [p] was well again, [p] brought a big basket of [food] for all the others.} "{One piece is enough|Now I know when to stop}," said [P], and everyone laughed.""",
     "Do not eat too much, and leave some for the others.")

plot("hide", ["hide and seek", "a game", "playing", "a funny day"],
     ["played hide and seek", "hid too well", "loved to play", "was very good at hiding"], "playful,funny,lively,silly,clever",
     {"place": "{in an empty barrel|under a pile of leaves|behind a curtain of leaves|in a big basket|inside a hollow log}"}, """
One sunny day, [P] played hide and seek with [aF] and [aG]. "{I will count|It is my turn to count}," said [F]. "One, two, three, four, five!" [^G] hid [spot]. [P] hid [place]. It was a very good place. It was dark and warm and {soft|quiet}.
"{Ready or not, here I come|I am coming}!" called [F]. Soon [f] found [G]. But [f] could not find [P]. They looked [spot2]. They looked near [area]. They called, "[Pname]! You win! You can come out!" But there was no answer. {The sun went down, and they began to worry.|"Where can [p] be?" asked [G].}
Then [F] heard a funny sound. Zzz. Zzz. Zzz. It came from the hiding place. [^F] looked inside and laughed. There was [P], fast asleep! {"Wake up, sleepyhead," said [G].|"We found you," said [F].} [^P] {yawned|opened one eye}. "{Did I win|Is the game over}?" [p] asked. {Everyone laughed until their bellies hurt.|"Yes," they said. "You win the prize for the best sleeper." And they all laughed.}""",
     "Playing with friends is the best fun.")

plot("music", ["music", "a song", "a concert", "singing", "a band"],
     ["loved music", "loved to sing", "started a band", "played the [inst]"], "cheerful,merry,happy,lively,jolly",
     {"inst": "{drum|flute|guitar|trumpet|bell|violin}"}, """
[P] loved music. All day long, [p] hummed and sang. One day, [p] found an old [inst] and began to play. {At first, it sounded funny.|It did not sound very good.} {"Please stop that noise!" called someone.|Some of the neighbors covered their ears.} But [P] went to [area] and played where nobody was listening.
But somebody was. It was [aF]. "{I like your song|That is a nice song}," said [F]. "{Can I sing to it|May I play with you}?" So they played together. Then [aG] came and {clapped|danced}. Every day, they met and practiced, and every day they sounded a little better.
One evening, there was a feast, but {it was too quiet|nobody was dancing}. "{Shall we play|Shall we play our song}?" asked [P]. They began to play. {Feet began to tap. Hands began to clap.|First one danced, then two, and then everyone.} Soon all of [land] was dancing under the moon. "{More, more|Play it again}!" they shouted. {[P] and [ps] friends played until the stars went to sleep.|And from then on, there was music every week.}""",
     "Do what you love, and share it with others.")

plot("school", ["the first day of school", "school", "learning", "a new school"],
     ["went to school", "was new at school", "was nervous on the first day of school"], "nervous,shy,little,young,small",
     {"learn": "{the letters|numbers|how to paint|a new song|the names of the stars}"}, """
Today was the first day of school. [P] was {nervous|a little afraid}. "{What if nobody likes me|What if I do everything wrong}?" [p] asked. [^ps] mother gave [pm] a kiss. "{Just be yourself|You will do fine}," she said.
At school, there were many new faces. [P] sat down {in the last row|near the window}. Next to [pm] sat [aF]. [^F] had {forgotten [fs] pencil|dropped [fs] lunch|no one to talk to}. "{Here, take one of mine|You can share with me}," said [P]. "Thank you," said [F]. "{I was so nervous today|I did not know anyone}." "{Me, too|So was I}!" said [P], and they both laughed. The teacher was nice, and they learned [learn].
At noon, they ate their lunch together. After school, [P] [go] home as fast as [p] could. "{How was it|How was school}?" asked [ps] mother. "{It was great|Wonderful}," said [P]. "I learned [learn], and I have a new friend. {Can I go again tomorrow|I cannot wait until tomorrow}?" """,
     "New things are easier when you are kind to others.")

plot("lazy", ["hard work", "being lazy", "autumn", "getting ready for winter"],
     ["was lazy", "did not want to work", "was too lazy to work", "slept all day"], "lazy,sleepy,slow",
     {"work": "{gather food|collect wood|store food|repair the roof}"}, """
[P] was very lazy. [^p] liked to lie in the sun all day. It was autumn, and everyone was busy. "{Winter is coming|Soon it will be cold}," said [aF]. "You should [work]." But [P] only {yawned|laughed}. "{There is lots of time|I will do it tomorrow}," [p] said. And tomorrow, [p] said the same thing again.
Then one morning, there was snow everywhere. A cold wind blew. [P] was cold, and [p] was hungry, and there was nothing in the house. {[^p] looked [spot], but there was nothing to eat.|} At last, [p] [go] to [F] and knocked. "{I was lazy, and now I have nothing|You were right, and I was wrong}," said [P]. "{Can you help me|Please help me}."
[^F] let [pm] in and gave [pm] warm soup. "{You may stay here|I will share with you}," said [F]. "But {you must help me with the work|next year, we will work together}." "I promise," said [P]. And [p] kept the promise. The next autumn, [P] was the first to get up and the last to go to bed. {That winter, they were both warm and happy.|"Working together is even fun," [p] said.}""",
     "Do your work in time, then you can rest.")

plot("chain", ["kindness", "helping others", "being nice", "a good deed"],
     ["was kind to everyone", "helped everyone", "did a good deed"], "kind,good,helpful,gentle,friendly",
     {"load": "{a heavy bag|a big basket|a pile of wood|a heavy pot}"}, """
One morning, [P] saw [aF], who was carrying [load]. "{That looks heavy|Let me help you}," said [P]. [^p] helped [F] to carry it all the way to [area]. "Thank you," said [F]. "{How can I thank you|What can I give you}?" "{You do not have to give me anything|Just be kind to someone else}," said [P].
On the way home, [F] saw [aG], who {was crying|was sad}. "What is the matter?" asked [F]. "{I lost my lunch|I have nothing to eat}," said [G]. So [F] shared [fs] bread with [G]. "{You are so kind|Thank you}," said [G]. "{Just be kind to someone else|Pass it on}," said [F].
That evening, it rained hard, and [P] {slipped and fell|hurt [ps] foot} near [area2]. [^p] could not get up. Then someone came with a lantern. It was [G]! "{I will help you|Lean on me}," said [G] and brought [pm] home. "{You do not even know me|You are so kind}," said [P]. "{Someone was kind to me today, and I wanted to pass it on|Today someone helped me, too}," said [G]. {[P] smiled. The kindness had come back home.|And so a small good deed went all the way around and came back.}""",
     "Kindness always comes back to you.")

plot("reflection", ["a mirror", "something funny", "a silly mistake", "a funny story", "water"],
     ["was silly", "saw [pf] in the water", "made a funny mistake", "did not know mirrors"], "silly,funny,curious,young",
     {"place": "{a puddle|a bucket of water|an old mirror|a big shiny pot|a window}"}, """
One day, [P] looked into [place]. Someone was looking back! "Hello," said [P]. But the other one did not answer. [P] waved, and the other one waved, too. [P] made a face, and the other one made the same face. "{Stop doing that|Are you making fun of me}!" said [P]. [^p] was getting angry.
[P] [go] to get [aF]. "There is someone who {does everything that I do|is making fun of me}," said [P]. "{Come and see|You must help me}!" [^F] came and looked. Then [f] began to laugh. "{Now there are two of us in there|Look again}," said [F]. And really, next to the other one was another [Fn]! [P] looked at [F], and then [p] looked at the other [Fn]. "{Wait|Oh}," [p] said slowly. "{Is that me|Is that me, and is that you}?"
"Yes, it is," said [F]. [^P] turned red, and then [p] began to laugh, too. {They made funny faces for the rest of the day.|They laughed so hard that they fell over.} {"I am quite a nice fellow," said [P].|"It is good to be able to laugh about yourself," said [F].}""",
     "It is good to laugh about yourself.")

plot("letter", ["a letter", "missing a friend", "friends who are far away", "a message"],
     ["got a letter", "missed a friend", "wrote a letter", "had a friend far away"], "sad,lonely,loyal,little,sweet",
     {"far": "{on an island|behind the mountains|in a big city|on the other side of the sea}"}, """
[P] had a very good friend, [aF]. But one day, [F] moved far away and now lived [far]. [P] missed [fm] every day. {[^p] looked at the empty place where they used to play.|Playing alone was not the same.} "{I will write a letter|I know what I will do}," said [P]. [^p] wrote: "Dear [Fname], I miss you. Please come and visit me. Your friend, [Pname]."
[P] gave the letter to {the wind|a little bird|the mail carrier} and waited. One day passed. Two days passed. A whole week passed, and there was no answer. {[P] went to [area] every day and looked down the road.|"Maybe [f] has forgotten me," said [P].}
Then, one evening, there was a knock at the door. [P] opened it, and there stood [F]! "{I got your letter|I missed you, too}," said [F]. "{I did not want to write, I wanted to come myself|So I came as fast as I could}." They hugged for a long, long time. {They talked all night about everything.|[P] made a [treat], and they were happy.} {Friends can be far away, but they are always close in the heart.|"Even when I am far away, I am still your friend," said [F].}""",
     "True friends stay friends, even when they are far away.")

plot("kite", ["the wind", "a kite", "flying", "a windy day"],
     ["wanted to fly", "dreamed of flying", "flew a kite", "wanted to touch the clouds"], "little,dreamy,young,bold,curious",
     {"fly": "{a big kite|a bunch of balloons|a basket with a balloon|a pair of paper wings}"}, """
[P] looked up at the clouds every day. "I want to be up there," [p] said. "I want to touch a cloud!" First, [p] jumped from a stone. Plop! [^p] landed on [ps] bottom. Then [p] jumped from a hill. Plop again! "{I will find a way|I will not give up}," said [P].
Then [aF] had an idea. "{Wait for a windy day|I know what we need}," said [F]. They worked for a week and made [fly]. On a windy morning, they took it to [area]. The wind blew, and up, up, up went [P]! "{I am flying|Look at me}!" [p] shouted. Below, everything was tiny. {The river looked like a ribbon.|The houses looked like toys.} [P] reached out and touched a cloud. It was {cool and wet|soft and cool}.
After a while, [F] pulled on the rope, and [P] came down {slowly|gently}. "{What was it like|How was it}?" asked [F]. "{It was wonderful|It was like a dream}," said [P]. "{But I could not talk to anyone up there. Next time, we will go together|Next time, it is your turn}." {And that is what they did.|And the next windy day, they did.}""",
     "With a good idea and a good friend, dreams can come true.")

plot("monster", ["a dragon", "a monster", "not judging others", "a scary stranger", "a castle"],
     ["met a dragon", "met a monster", "made friends with a dragon", "met a giant"], "brave,kind,young,little,bold",
     {"beast": "{dragon|giant|monster|troll|big bear}"}, """
Everyone in [land] was afraid of the [beast] that lived near [area]. "{It eats everyone who comes near|It is big and wild}," they said. {At night, they could hear it roar.|At night, they could hear a terrible sound.} But [P] listened carefully. "{That does not sound angry|I think it is crying}," [p] said.
So [P] went to see the [beast]. [^ps] {legs|knees} were shaking. There it was, big and {green|gray|dark}. "Go away!" roared the [beast]. "{Everyone is afraid of me|Leave me alone}." "I am not afraid," said [P], although [p] was a little afraid. "Why are you crying?" The [beast] {sniffed|was surprised}. "{I have a thorn in my foot|My tooth hurts|I have no friends}," it said. "{Nobody ever asked me before|Nobody ever comes to see me}."
"{I will help you|Let me see}," said [P]. {Very carefully, [p] helped the [beast] until it felt better.|[^p] sat down and gave the [beast] some [food].} The [beast] smiled for the first time in many years. {Then they went back together, and [P] said, "This is my friend."|The next day, [P] brought all the others.} {At first, everyone was afraid, but soon they were all playing together.|From that day on, nobody was afraid anymore, and the [beast] was never lonely again.}""",
     "Do not be afraid of someone just because others are.")

plot("picnic", ["a picnic", "summer", "the beach", "a nice day", "the sun"],
     ["went on a picnic", "had a perfect day", "went to the beach", "had a good time"], "happy,cheerful,hungry,little,sunny",
     {"oops": "{a line of ants carried the cookies away|the wind blew the blanket away|it began to rain|[p] had forgotten the food at home}"}, """
It was a warm summer day. "{Let us have a picnic|Today is a good day for a picnic}," said [P] to [aF]. They packed a basket with [food] and a [treat]. Then they went to [area]. {The sun was shining, and the birds were singing.|There was not a cloud in the sky.}
But when they wanted to eat, [oops]! "{Oh no|Oh dear}," said [P]. "{Is our picnic ruined|What do we do now}?" {[P] was close to tears.|} But [F] began to laugh. "{It is still a nice day|We can still have fun}," [f] said. "{Let us make the best of it|Come on}!" They {picked wild strawberries|found sweet plums on a tree}, and they splashed in the water. {They lay on their backs and found shapes in the clouds.|They sang every song they knew.} "That one looks like [aGn]," said [P].
When they went home, they were {tired but happy|wet and happy}. "{That was the best picnic ever|What a perfect day}," said [P]. {"And we did not even need the basket," said [F].|"Shall we do it again tomorrow?" asked [F].}""",
     "You can have fun even when things go wrong.")

plot("star", ["a star", "space", "the sky", "a falling star", "the moon"],
     ["found a star", "wanted to go to the moon", "helped a little star", "caught a falling star"], "dreamy,kind,little,gentle,curious",
     {"way": "{a long ladder|a rocket made of boxes|a very big kite|a swing of spider silk}"}, """
One night, [P] saw a light fall from the sky. It landed [spot]. [P] [go] there, and what did [p] find? A tiny star! It was {crying|very pale}. "I fell down," said the star. "{I want to go home to the sky|My mother is the moon, and I miss her}." "Do not cry," said [P]. "I will help you."
First, [P] threw the star up as high as [p] could, but it came down again. Then [p] climbed the tallest tree, but it was not tall enough. So [P] asked [aF] for help. "We need something better," said [F]. {All night|For three days}, they worked together and made [way]. Up and up and up it went. {The houses became small.|They passed the clouds.} And then, they could reach the sky.
[P] put the star back in its place. At once, it began to shine. "Thank you," said the star. "{I will shine for you every night|When you look up, I will wink at you}." [P] and [F] went home. {And every night, one star winks at them.|That night, the sky was brighter than ever.} {If you look up, you may see it, too.|}""",
     "Even the smallest light is important.")

plot("trick", ["being clever", "a trick", "a clever idea", "a fox and a crow"],
     ["was very clever", "tricked a bully", "had a clever idea"], "clever,smart,small,quick,sly",
     {"bully": "{a big wolf|a mean giant|a hungry crocodile|a grumpy troll}"}, """
One day, [P] was on the way to [area] with a [treat]. Suddenly, [bully] stood in the way. "{Give me your food, or I will eat you|Stop! I am hungry, and I will eat you}!" [P] was scared, but [p] was also very clever. "{Of course|As you wish}," said [P]. "But I am so small. {Just behind that hill, there is something much bigger|In the well, there is a much bigger dinner}." 
"{Where is it|Where}?" said the other and {licked his lips|came closer}. [P] led him to a deep, dark well. "{Look down there|It is in there}," said [P]. The bully looked down and saw his own face in the water. "{There is another one who wants my dinner|Who is that}!" he shouted and {jumped in|leaned over too far}. Splash! {The water was very cold.|Now he was wet from head to toe.}
"Help! Get me out!" he cried. "{Only if you promise to be nice|First you must promise never to scare anyone again}," said [P]. "I promise, I promise!" So [P] called [aF], and together they pulled him out with a rope. {The bully kept his promise and even said thank you.|From that day on, he was as gentle as a lamb.} Then [P] and [F] ate the food together. {"You do not have to be big if you are clever," said [F].|And everyone said how clever [P] was.}""",
     "A clever head is stronger than big muscles.")
