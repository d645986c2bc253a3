"""Word lists of the generator: who, where, what, and what belongs together."""


def _words(text):
    return [w.strip() for w in text.replace("\n", " ").split(",") if w.strip()]


# Animals by habitat.  A habitat fixes home, places, food and ways to move,
# so that fish never run and owls never swim.
ANIMALS = {
    "forest": _words("""fox, rabbit, bear, squirrel, hedgehog, deer, wolf, badger, mouse, mole, raccoon, skunk, hare,
        chipmunk, weasel, fawn, moose, porcupine, bobcat, lynx, bear cub, wolf cub, bunny, ferret, opossum, boar, marmot,
        red panda, stoat, dormouse, elk"""),
    "farm": _words("""cow, pig, horse, sheep, lamb, goat, donkey, hen, rooster, chick, goose, turkey, pony, calf, piglet,
        foal, llama, alpaca, ox, mule, bull, chicken"""),
    "house": _words("""cat, dog, kitten, puppy, hamster, guinea pig, rat, gerbil, sheepdog, poodle"""),
    "jungle": _words("""lion, tiger, elephant, monkey, giraffe, zebra, hippo, rhino, leopard, cheetah, gorilla, panda,
        koala, kangaroo, sloth, camel, hyena, jaguar, lemur, meerkat, anteater, armadillo, tapir, antelope, buffalo,
        ostrich, chimp, wombat, lion cub, ape, baboon, gazelle, emu, panther"""),
    "ice": _words("penguin, polar bear, seal, walrus, reindeer, husky, snow leopard, arctic fox, sea lion"),
    "sea": _words("""fish, whale, dolphin, shark, octopus, crab, starfish, seahorse, jellyfish, lobster, squid, eel, clam,
        shrimp, clownfish, manatee, sea turtle, stingray, swordfish, mermaid, goldfish, pufferfish, narwhal, oyster"""),
    "sky": _words("""owl, robin, sparrow, crow, eagle, pigeon, dove, parrot, seagull, woodpecker, hawk, raven, blue jay,
        hummingbird, canary, pelican, stork, toucan, magpie, swallow, wren, finch, falcon, bat, bird, cuckoo, phoenix,
        nightingale, blackbird, vulture"""),
    "garden": _words("""bee, ant, butterfly, ladybug, spider, snail, worm, caterpillar, firefly, grasshopper, cricket,
        beetle, dragonfly, moth, bumblebee, slug, fly, mosquito, centipede"""),
    "pond": _words("""frog, toad, tadpole, newt, turtle, tortoise, lizard, salamander, otter, beaver, duck, duckling,
        swan, crocodile, alligator, platypus, snake, heron, flamingo, muskrat, crane"""),
}
PEOPLE_HE = _words("""boy, king, prince, knight, farmer, fisherman, old man, grandfather, shepherd, wizard, miller, pirate,
    sailor, captain, tailor, woodcutter, magician, father, clown, carpenter, policeman, soldier, emperor, cowboy""")
PEOPLE_SHE = _words("""girl, queen, princess, old woman, grandmother, witch, fairy, nurse, teacher, dancer, mother, singer,
    gardener, librarian, ballerina, seamstress""")
PEOPLE_ANY = _words("""baker, painter, doctor, cook, astronaut, firefighter, musician, inventor, scientist, shoemaker,
    explorer, detective, student, child, baby, mail carrier, shopkeeper, writer, bus driver, clockmaker, pilot, judge,
    farmer, gardener, teacher, chef, artist, poet, swimmer, ninja, hero, superhero, spy, thief""")
FANTASY = _words("""dragon, unicorn, robot, ghost, giant, snowman, monster, elf, gnome, troll, goblin, alien, dinosaur,
    teddy bear, toy soldier, doll, puppet, ogre, genie, yeti, scarecrow, baby dragon, leprechaun, mammoth, vampire, zombie,
    gingerbread man, griffin, werewolf, imp, pixie, cyclops""")
# Things that can be the hero of a story (they think and talk in stories).
THINGS = _words("""train, car, truck, bus, tractor, boat, ship, plane, rocket, bicycle, teapot, cup, spoon, clock, lamp,
    candle, pencil, crayon, book, shoe, sock, hat, umbrella, kite, balloon, ball, drum, bell, pillow, blanket, chair, key,
    broom, bucket, button, star, cloud, raindrop, snowflake, leaf, tree, flower, rose, sunflower, seed, stone, pebble,
    pumpkin, apple, potato, carrot, cookie, cupcake, house, castle, lighthouse, bridge, windmill, computer, phone, guitar,
    piano, violin, mitten, mug, cake, toaster, fork, sandwich, banana, tomato, mushroom, onion, lemon, table, door, window,
    mirror, scooter, wagon, submarine, helicopter, fire truck, snowball, icicle, coin, ring, flute, trumpet, robot toy,
    paintbrush, lantern, basket, bottle, ladder, scarf, boot, glove, pizza, pancake, muffin, egg, acorn, pinecone, shell,
    spaceship, satellite, camera, radio, television, puzzle, marble, top, sled, suitcase, letter, map, pen, ruler""")
# Things a child can own, lose, find and love.
TOYS = _words("""ball, kite, balloon, drum, bicycle, scooter, toy boat, toy train, toy car, teddy bear, doll, book, hat,
    umbrella, flute, whistle, wagon, sled, lantern, puzzle, marble, jump rope, yo-yo, paintbrush, music box, scarf,
    telescope, guitar, skateboard, compass, watch, ring, coin, toy robot, toy plane""")
TREASURES = _words("""red hat, blue scarf, silver bell, shiny button, golden key, little drum, red ball, green ribbon,
    wooden flute, warm mitten, yellow kite, tiny lantern, pretty shell, smooth stone, blue marble, silver ring,
    golden coin, soft blanket, toy boat, picture book, pink bow, striped sock, lucky feather, brown boot, purple cup""")
COLORS = _words("red, blue, green, yellow, purple, orange, pink, white, black, brown, gray, golden, silver")
NAMES_HE = _words("""Tim, Max, Ben, Leo, Sam, Tom, Jack, Oliver, Finn, Toby, Milo, Oscar, Felix, Hugo, Otto, Rusty, Bruno,
    Barney, Charlie, Henry, Jasper, Louie, Ned, Pip, Teddy, Rory, Gus, Archie, Benny, Buster, Chester, Dexter, Eddie, Fred,
    George, Harry, Jake, Kip, Lucas, Marty, Noah, Ollie, Percy, Rex, Simon, Theo, Walter, Ziggy, Bob, Billy, Danny, Joe,
    Peter, Paul, Adam, Alex, Arthur, Dan, David, Eli, Ethan, James, Liam, Mark, Nick, Omar, Ravi, Will, Boris, Rocky""")
NAMES_SHE = _words("""Lily, Mia, Anna, Lucy, Molly, Rosie, Ella, Daisy, Ruby, Nora, Zoe, Bella, Clara, Hazel, Ivy, Luna,
    Maya, Nina, Olive, Penny, Poppy, Sally, Tilly, Violet, Willow, Amy, Betty, Coco, Dora, Emma, Fiona, Gracie, Holly, Iris,
    Jenny, Kate, Lola, Maggie, Nelly, Pearl, Rose, Sophie, Tina, Wendy, Sara, Jane, Mary, Alice, Eva, Grace, Hannah, Julia,
    Kim, Lena, May, Polly, Dot, Flora, Bonnie, Millie, Priya, Sue, Tess, Vera, Ada, Greta, Stella, Leila""")
KIND_ADJ = _words("""kind, friendly, gentle, wise, cheerful, old, clever, helpful, quiet, funny, happy, tiny, big, little,
    fluffy, sleepy, jolly, merry, calm, patient""")
HERO_ADJ = _words("""little, small, young, curious, brave, clever, happy, kind, playful, shy, gentle, cheerful, tiny, funny,
    friendly, quiet, busy, lonely, sleepy, silly, proud, lively, polite, good, sweet, bold, smart, merry""")
# Adjectives of any kind that a request may ask for.
WILD_ADJ = _words("""red, blue, green, purple, pink, orange, yellow, golden, silver, white, black, gray, spotted, striped, magic, giant,
    fat, thin, tall, short, old, ugly, beautiful, pretty, lazy, hungry, thirsty, tired, angry, grumpy, sad, scared, lost, sick, noisy, loud,
    wild, tame, strong, weak, rich, poor, clumsy, dirty, clean, fluffy, hairy, wet, cold, strange, crazy, famous, forgetful, selfish,
    greedy, naughty, stubborn, nervous, dreamy, jealous, honest, careful, careless, mean, bad, nice, cute, wise, fast, slow, blind,
    talking, singing, dancing, flying, sleeping, laughing, invisible, friendly, evil, royal, secret, tiny, huge, enormous, rainbow""")
# Made-up creatures and names are built from these, so that the model learns
# to copy a word that it has never seen.
SYLLABLES = _words("""bo, bri, cla, da, do, fi, flo, gru, ja, ki, lo, lu, ma, mi, mo, na, ni, no, pa, pi, plo, qui, ra, ro,
    sha, sni, ta, ti, to, tru, va, wo, za, zi, zo, blu, cro, dri, fen, glim, hob, jin, kel, lom, mip, nar, pod, quil, rum,
    sil, tam, wim, yel, zan""")
ENDINGS = _words("ble, bit, don, fle, ger, gle, ka, kin, la, ling, lo, mer, nix, p, pus, ra, rk, saur, t, tle, x, zle, ro, m, n")

HABITAT = {
    "forest": dict(
        home="{a cozy den|a small den|a warm burrow|a hollow tree|a little house under the roots} {in the forest|in the woods|at the edge of the forest|near the river}",
        land="{the forest|the woods}",
        spot="{under a big oak tree|behind a bush|by the river|near the old log|in the tall grass|on top of the hill|under a pile of leaves|between the rocks}",
        area="{the meadow|the river|the hill|the old oak tree|the berry bushes|the pine trees|the little bridge}",
        go="{ran|walked|hurried|trotted|went}", food="{berries|nuts|mushrooms|apples|honey}",
        treat="{basket of berries|big red apple|pot of honey|blueberry pie|pile of nuts|sweet pear}"),
    "farm": dict(
        home="{a red barn|a warm stable|a small shed|a big barn} {on a farm|on a sunny farm|near the village|at the edge of the fields}",
        land="{the farm|the farmyard}",
        spot="{behind the barn|in the hay|near the fence|by the well|under the apple tree|in the vegetable garden|next to the tractor}",
        area="{the barn|the field|the pond|the old mill|the orchard|the haystack|the gate}",
        go="{ran|walked|hurried|trotted|went}", food="{corn|hay|apples|carrots|oats}",
        treat="{bucket of apples|big orange carrot|bag of corn|sweet pear|pumpkin pie|basket of strawberries}"),
    "house": dict(
        home="{a small house|a cozy house|a yellow house|a little cottage} {in a quiet town|on a busy street|near the park|next to a bakery}",
        land="{the town|the neighborhood}",
        spot="{under the bed|behind the sofa|in the garden|near the front door|on the porch|under the table|behind the fence}",
        area="{the park|the garden|the bakery|the playground|the old fountain|the market|the school}",
        go="{ran|walked|hurried|trotted|went}", food="{milk|cheese|bread|biscuits}",
        treat="{bowl of milk|big piece of cheese|tasty pie|plate of biscuits|warm bun}"),
    "jungle": dict(
        home="{a shady spot|a big green tree|a quiet cave|a soft bed of leaves} {in the jungle|near the wide river|at the edge of the grassland|by the waterfall}",
        land="{the jungle|the grassland}",
        spot="{under a palm tree|behind the waterfall|in the tall grass|by the river|near the big rock|between the vines}",
        area="{the waterfall|the watering hole|the mango tree|the tall grass|the big rock|the muddy river}",
        go="{ran|walked|hurried|wandered|went}", food="{bananas|mangoes|sweet leaves|figs|coconuts}",
        treat="{bunch of bananas|juicy mango|big coconut|basket of figs|sweet melon}"),
    "ice": dict(
        home="{a snowy cave|a little house of ice|a cozy snow hut|a quiet bay} {in the far north|near the frozen sea|at the edge of the ice|under the northern stars}",
        land="{the ice|the snow}",
        spot="{behind a snowbank|near the frozen lake|under the snow|on a big iceberg|by the icy water|next to a tall block of ice}",
        area="{the frozen lake|the snowy hill|the icy shore|the big iceberg|the snow cave}",
        go="{slid|walked|hurried|went}", food="{fish|snow berries|little cakes}",
        treat="{big silver fish|bucket of fish|bowl of snow berries|warm fish pie}"),
    "sea": dict(
        home="{a pink coral house|a quiet cave|a garden of seaweed|an old sunken ship} {at the bottom of the sea|in the deep blue sea|near a sunny reef|in a warm bay}",
        land="{the sea|the ocean}",
        spot="{behind a rock|under the seaweed|inside a big shell|next to the coral|in the white sand|inside the old ship}",
        area="{the coral reef|the sunken ship|the seaweed forest|the sandy bay|the dark cave|the warm lagoon}",
        go="{swam|hurried|glided|went}", food="{seaweed|sea grapes|little sea cakes}",
        treat="{bowl of sea grapes|seaweed pie|big pearl cake|basket of sea berries}"),
    "sky": dict(
        home="{a cozy nest|a small nest|a nest of twigs and moss|a round nest} {in a tall tree|in an old oak tree|at the top of a pine tree|in the church tower|on a high cliff}",
        land="{the valley|the woods}",
        spot="{on a branch|under a leaf|on the roof of the barn|in the hollow tree|near the river|on top of the hill}",
        area="{the tall pine tree|the river|the hill|the old tower|the meadow|the cliff}",
        go="{flew|hurried|glided|went}", food="{seeds|berries|crumbs|cherries}",
        treat="{bunch of cherries|big sunflower full of seeds|sweet blackberry|piece of cake}"),
    "garden": dict(
        home="{a tiny house|a snug little home|a soft bed of moss|a quiet corner} {under a mushroom|in a flower garden|behind a flower pot|in the tall grass|under a rose bush}",
        land="{the garden|the meadow}",
        spot="{under a leaf|behind a flower pot|on a daisy|near the watering can|between two stones|inside a tulip}",
        area="{the rose bush|the sunflower|the little pond|the vegetable patch|the old stone wall|the strawberry plants}",
        go="{hurried|went|wandered}", food="{sweet nectar|crumbs|leaves|dew drops}",
        treat="{drop of honey|juicy strawberry|crumb of cake|sweet raspberry|ripe plum}"),
    "pond": dict(
        home="{a snug house|a lily pad|a muddy hole|a little hut of reeds} {by a quiet pond|near the lake|at the side of a stream|in a green swamp}",
        land="{the pond|the lake}",
        spot="{under a lily pad|between the reeds|behind a mossy rock|near the bank|under an old log|in the soft mud}",
        area="{the lily pads|the reeds|the little waterfall|the old log|the muddy bank|the stone bridge}",
        go="{hurried|went|wandered}", food="{berries|pond weeds|little cakes|sweet roots}",
        treat="{bowl of berries|sweet water melon|basket of sweet roots|tasty pie}"),
    "village": dict(
        home="{a small cottage|a little house|a cozy house|a tall stone house} {in a village|near the forest|by the sea|on a hill|at the end of a long road|in a small town}",
        land="{the village|the town}",
        spot="{under the bed|behind the door|in the garden|by the well|near the bridge|under the apple tree|next to the fence}",
        area="{the market|the river|the forest|the old mill|the bridge|the hill|the bakery|the harbor}",
        go="{ran|walked|hurried|went}", food="{bread|soup|apples|cheese}",
        treat="{apple pie|chocolate cake|basket of cherries|plate of cookies|loaf of warm bread}"),
    "castle": dict(
        home="{a big castle|a tall white castle|an old castle|a castle} {on a hill|by the sea|with many towers|in a green valley}",
        land="{the kingdom|the land}",
        spot="{behind the throne|in the rose garden|under the stairs|by the fountain|in the tower|near the gate}",
        area="{the tower|the rose garden|the royal kitchen|the stables|the bridge|the dark forest}",
        go="{walked|hurried|rode|went}", food="{cake|grapes|soup|bread}",
        treat="{royal cake|bowl of grapes|cherry pie|plate of cookies}"),
    "wonder": dict(
        home="{a quiet cave|a strange little house|an old tower|a misty valley|a house with a round door} {in the mountains|far away|at the end of the world|behind the waterfall|in an old forest}",
        land="{the valley|the mountains}",
        spot="{behind a rock|near the waterfall|in the cave|under the old bridge|by the lake|under a strange tree}",
        area="{the mountain|the lake|the dark cave|the old bridge|the misty forest|the waterfall}",
        go="{walked|hurried|wandered|went}", food="{soup|berries|bread|honey}",
        treat="{pot of soup|honey cake|basket of berries|big round pie}"),
}
