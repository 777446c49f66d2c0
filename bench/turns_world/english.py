"""What English callers say: customer service, games, children with a robot, small talk.

In: nothing.  Out: `ENGLISH`, a grammar in the notation of `bench.turns_world.grammar`.  Data and
the functions that fill its slots.  Pure.
"""

import random

from bench.turns_world.grammar import Family, Grammar, Prompt
from bench.turns_world.scripts import Half

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _digits(rng: random.Random, count: int) -> str:
    """`count` digits; callers say "oh" as well as "zero"."""
    zero = rng.choice(("zero", "oh"))
    return " ".join(
        zero if d == 0 else DIGITS[d] for d in (rng.randrange(10) for _ in range(count))
    )


def _phone(rng: random.Random, half: Half) -> str:
    """Ten digits in groups; after seven the number might be over."""
    if half == "calibrate":
        groups = (3, 3, 4)
        return f"{_digits(rng, 3)} - {_digits(rng, groups[1])} - {_digits(rng, groups[2])}"
    if rng.random() < 0.5:
        return f"oh {_digits(rng, 4)} - {_digits(rng, 3)} = {_digits(rng, 3)}"
    return f"{_digits(rng, 3)} - {_digits(rng, 4)} = {_digits(rng, 3)}"


def _letters(rng: random.Random, count: int) -> str:
    return " ".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(count))


def _code(rng: random.Random, half: Half) -> str:
    if half == "calibrate":
        return f"{_letters(rng, 2)} - {_digits(rng, 3)} = {_digits(rng, 3)}"
    return f"{_letters(rng, 1)} {_digits(rng, 2)} - {_letters(rng, 2)} = {_digits(rng, 2)}"


def _spelled(rng: random.Random, half: Half) -> str:
    """A family name, then letter by letter."""
    name = rng.choice(_WORDS[half]["surname"])
    letters = [letter.upper() for letter in name]
    cut = rng.randrange(2, len(letters) - 1)
    return f"{name} = {' '.join(letters[:cut])} - {' '.join(letters[cut:])}"


def _email(rng: random.Random, half: Half) -> str:
    first, last = rng.choice(_WORDS[half]["first"]), rng.choice(_WORDS[half]["surname"])
    domain = rng.choice(_WORDS[half]["domain"])
    if half == "calibrate":
        return f"{first} dot {last} - at {domain} - dot com"
    return f"{first} underscore {last} - {_digits(rng, 2)} - at {domain} = dot net"


def _address(rng: random.Random, half: Half) -> str:
    street, town = rng.choice(_WORDS[half]["street"]), rng.choice(_WORDS[half]["town"])
    number = " ".join(rng.choice(_WORDS[half]["number"]) for _ in range(1))
    if half == "calibrate":
        return f"{number} {street} = {town} - {_digits(rng, 5)}"
    flat = rng.choice(("flat two", "flat nine", "unit four", "apartment six"))
    return f"{flat} - {number} {street} = {town}"


_FILLS = {
    "phone": _phone,
    "code": _code,
    "spelled": _spelled,
    "email": _email,
    "address": _address,
}

_WORDS: dict[Half, dict[str, tuple[str, ...]]] = {
    "calibrate": {
        "thing": ("lamp", "toaster", "desk chair", "blender", "rug", "kettle", "bookshelf"),
        "fault": ("broken", "scratched", "missing a screw", "the wrong colour", "making a noise"),
        "ago": ("last week", "on Monday", "about two weeks ago", "in March", "yesterday"),
        "first": ("laura", "peter", "nina", "george", "helen", "oscar"),
        "surname": ("Miller", "Novak", "Fischer", "Dawson", "Whitfield", "Okafor"),
        "domain": ("gmail", "outlook"),
        "street": ("Maple Street", "Station Road", "Park Avenue", "Hill Lane"),
        "town": ("Denver", "Portland", "Austin", "Columbus"),
        "number": ("fourteen", "two twenty one", "eighty six", "nine hundred"),
        "date": ("the second of May", "June fifteenth", "next Friday", "this Saturday"),
        "hour": ("seven", "half past six", "eight thirty", "around noon"),
        "people": ("two", "four", "a party of six", "just me and my husband"),
        "food": ("nuts", "shellfish", "gluten", "dairy"),
        "plan": ("the basic one", "the family plan", "whatever is cheapest", "unlimited data"),
        "weapon": ("sword", "shield", "crossbow", "helmet", "dagger"),
        "metal": ("iron", "silver", "dragon bone", "old steel"),
        "place": ("the north gate", "the old mine", "the river camp", "the ruins"),
        "sum": ("twelve", "fifteen", "eighteen", "thirty two"),
        "toy": ("apples", "marbles", "cookies", "stickers"),
        "weather": ("raining", "really windy", "so hot", "freezing", "kind of grey"),
        "meal": ("soup", "pancakes", "a curry", "leftover pizza"),
        "hobby": ("gardening", "chess", "baking bread", "watching old films"),
    },
    "held_out": {
        "parcel": ("package", "parcel", "delivery", "box", "shipment"),
        "mishap": (
            "left in the rain",
            "opened by someone",
            "sent to my neighbour",
            "still in transit",
        ),
        "since": ("since Tuesday", "for ten days", "since the weekend", "all month"),
        "first": ("carmen", "dylan", "ruth", "samir", "fiona", "walter"),
        "surname": ("Bergstrom", "Ramirez", "Hughes", "Tanaka", "Kowalski", "Abbott"),
        "domain": ("proton", "fastmail"),
        "street": ("Church Close", "Victoria Terrace", "Mill Row", "Orchard Drive"),
        "town": ("Leeds", "Bristol", "Cardiff", "Norwich"),
        "number": ("thirty seven", "one oh five", "sixty", "two hundred and twelve"),
        "day": ("Wednesday the ninth", "the twenty third", "tomorrow morning", "early December"),
        "time": ("quarter to ten", "any time after four", "first thing", "two fifteen"),
        "ache": ("my knee", "my lower back", "a sore throat", "this tooth", "my shoulder"),
        "doctor": ("Doctor Lindqvist", "the nurse", "a dentist", "whoever is free"),
        "card": ("debit card", "credit card", "bank card"),
        "amount": ("forty pounds", "ninety nine dollars", "three hundred", "about twelve fifty"),
        "merchant": ("a petrol station", "some gym", "a game store", "an airline"),
        "ship": ("freighter", "shuttle", "cruiser", "mining barge"),
        "port": ("Europa station", "the outer ring", "Titan harbour", "the asteroid dock"),
        "cargo": ("medicine", "fuel cells", "seeds", "spare engines"),
        "animal": ("octopus", "elephant", "penguin", "giraffe", "frog", "bat"),
        "part": ("legs", "wings", "a trunk", "big ears", "sticky toes"),
        "country": ("Portugal", "Iceland", "Japan", "Morocco"),
        "sport": ("swimming", "climbing", "table tennis", "running"),
        "pet": ("a parrot", "two cats", "an old beagle", "a hamster"),
    },
}

_SHOP = Family(
    "shop returns",
    "calibrate",
    (
        Prompt(
            "Thanks for calling Norwood Home, how can I help you today?",
            (
                "S hi um ~ I'd like to return | a {thing} ; that I bought ; {ago} / it's {fault}",
                "S yeah hello / I ordered a {thing} ; from your website / and & it arrived {fault}"
                " / so & I want | my money back",
                "S hey so & I got this {thing} ; {ago} / and & the problem is | it's {fault} /"
                " I tried | to fix it ; myself / but & that didn't work",
                "Q hi / can I still | send back a {thing} ; if & I lost | the receipt",
                "T well I bought a {thing} ; {ago} / and & now it's sort of | {fault} / so yeah",
                "S I'm calling about | a {thing} / I want % I'd like to exchange it ; for another"
                " one",
            ),
            (
                "I'm sorry to hear that. We can certainly take it back, and you have thirty days"
                " to do so. Refunds go to the card you paid with and take about five days.",
                "Oh no, that should not happen. I can arrange a refund or a new one for you, and"
                " we pay for the collection as well.",
            ),
        ),
        Prompt(
            "Could you give me your order number, please?",
            (
                "L sure / it's {code}",
                "L yes um ~ let me see @ it's {code}",
                "L hold on @ I have it | here somewhere @ okay {code}",
                "L {code}",
                "S I don't have it | with me / but & I can give you | my name",
                "L it should be {code} / I think",
            ),
            (
                "Thank you, I have found it. I can see the order was delivered by our own van, and"
                " it is still within the time for returns.",
                "Perfect, there it is. It was shipped from our warehouse in the south and paid by"
                " card.",
            ),
            uses_tool=True,
        ),
        Prompt(
            "What is the best phone number to reach you on?",
            (
                "L it's {phone}",
                "L my number is {phone}",
                "L okay so & that's {phone}",
                "L um ~ {phone} / that's my mobile",
                "S can you just | use the one ; on the account",
            ),
            (
                "Thanks, I have noted that down. The driver will ring you about half an hour before"
                " he arrives, so please keep your phone with you.",
                "Great, I've got that. You will get a text message with the time of the"
                " collection.",
            ),
        ),
        Prompt(
            "And where should we pick it up?",
            (
                "L {address}",
                "L at my work / that's {address}",
                "L the address is {address}",
                "S the same place ; where you delivered it / but & not before {hour}",
            ),
            (
                "Very good. The van comes to your part of town on Thursdays and Saturdays, usually"
                " before lunch, and the driver brings the label with him.",
                "Got it. You do not have to pack it, the driver will do that for you.",
            ),
        ),
        Prompt(
            "Would you like a refund or a replacement?",
            (
                "Y a refund please",
                "Y refund",
                "Y the money back",
                "S well | it depends / how long | does a new one take",
                "S I think | I'd rather have | a new one / if & it's the same colour",
                "T I guess the refund / or maybe | a new one but um",
            ),
            ("All right, I have put that into the system for you. You will see it in five days.",),
            uses_tool=True,
        ),
        Prompt(
            "Is there anything else I can do for you?",
            (
                "Y no",
                "Y no thanks",
                "Y no that's all",
                "S no that's it / thank you ; very much",
                "Q actually yes / do you have | that kettle ; in red",
            ),
            ("You are welcome.",),
        ),
    ),
    "Thank you for calling Norwood Home, have a lovely day.",
)

_TABLE = Family(
    "restaurant booking",
    "calibrate",
    (
        Prompt(
            "Good evening, Casa Verde, how may I help?",
            (
                "S hi / I'd like to book a table ; for {date} / if & you have anything | left",
                "S hello um ~ I wanted to make | a reservation ; for {people}",
                "Q hi there / do you have | anything free ; on {date}",
                "S yeah so & it's my wife's birthday ; {date} / and & we'd like | to come ; for"
                " dinner",
                "C can you book me in ; for {date}",
            ),
            (
                "With pleasure. We are open every night except Tuesday, and the kitchen closes at"
                " ten. On weekends we ask guests to be on time because tables are booked twice.",
                "Of course, let me look at the book. We do have some tables by the window and a few"
                " in the garden as well.",
            ),
            uses_tool=True,
        ),
        Prompt(
            "What time would suit you?",
            (
                "Y {hour}",
                "Y about {hour}",
                "S {hour} / or & maybe | a bit later",
                "S well | we could come ; at {hour} / but & if that's full | any time is fine",
                "S let me think @ {hour} would be good",
            ),
            (
                "That works, I have a nice table for you at that time. It is in the quiet corner at"
                " the back, away from the bar.",
                "We can do that. Please note that we hold tables for fifteen minutes only.",
            ),
        ),
        Prompt(
            "How many people will you be?",
            (
                "Y {people}",
                "Y {people} I think",
                "S there's {people} / and & possibly | a baby",
                "S um ~ {people} / no wait % five of us",
            ),
            (
                "Lovely. We have high chairs, and there is a menu for the little ones. For bigger"
                " groups we recommend the set menu with five courses.",
                "Noted. I will put you at the round table, it has plenty of room.",
            ),
        ),
        Prompt(
            "Does anyone have an allergy we should know about?",
            (
                "Y no",
                "Y nope",
                "Y {food}",
                "S yes / my daughter | can't have {food} / and & I don't eat | {food}",
                "S I don't think so / well | maybe {food} / but & it's not serious",
            ),
            (
                "Thank you for telling me. The chef will be informed, and the waiter will show you"
                " which dishes are safe.",
                "Good to know, I have written it next to your name.",
            ),
        ),
        Prompt(
            "And under which name, please?",
            (
                "L {spelled}",
                "L it's {spelled}",
                "L the name is {spelled}",
                "L {surname} / like | the painter",
            ),
            ("Thank you. Your table is booked, and we look forward to seeing you.",),
            uses_tool=True,
        ),
        Prompt(
            "May I have an e-mail address for the confirmation?",
            (
                "L sure / it's {email}",
                "L {email}",
                "L yes um ~ {email}",
                "L it's my work one / so & {email}",
            ),
            ("Wonderful, it is on its way.",),
        ),
    ),
    "We look forward to welcoming you. Goodbye.",
)

_PLAN = Family(
    "phone plan",
    "calibrate",
    (
        Prompt(
            "Hello, this is Brightline, what can I do for you?",
            (
                "S my bill is wrong / it went up ; by twenty dollars / and & nobody | told me why",
                "S I'm so annoyed / I've been waiting | for an hour / and & the internet | still"
                " doesn't work",
                "S hi / I want to change my plan / because & I never use | all the data",
                "Q how do I | turn on roaming ; before & I fly ; on {date}",
                "T it's about my phone / it's been kind of | I don't know / like",
                "C cancel my contract / please",
            ),
            (
                "I understand, and I am sorry about the trouble. Let me explain what you see on"
                " your bill: the first line is the base fee, the second is data, and the third is"
                " calls abroad.",
                "Thanks for letting me know. I can check the line from here, which takes a minute,"
                " and if that does not help we send somebody to you.",
            ),
        ),
        Prompt(
            "Can I have the phone number of the account?",
            (
                "L it's {phone}",
                "L yeah / {phone}",
                "L one second @ um ~ {phone}",
                "L {phone} / and & the pin is {code}",
            ),
            (
                "Thank you. I see two lines on this account, one of them has not been used for"
                " three months, and you could save by closing it.",
                "Thanks. The last payment came in on the third, so there is nothing open.",
            ),
            uses_tool=True,
        ),
        Prompt(
            "Which plan would you like to have?",
            (
                "Y {plan}",
                "Y {plan} please",
                "S I was thinking | {plan} / but & I'm not sure ; it's enough",
                "Q what's the difference ; between | those two",
                "T probably {plan} / unless",
            ),
            (
                "Good choice. It comes with calls to all networks, and you can change it every"
                " month without a fee. The price stays the same for two years.",
                "That one has ten gigabytes, and what you do not use goes over to the next month.",
            ),
        ),
        Prompt(
            "Shall I make the change now?",
            (
                "Y yes",
                "Y yeah",
                "Y yes please",
                "Y go ahead",
                "Y not yet",
                "S hold on @ let me ask | my son ; first @ okay yes | do it",
            ),
            ("Done. The new plan starts tonight at midnight.",),
            uses_tool=True,
        ),
    ),
    "Thanks for being with Brightline. Goodbye.",
)

_SMITH = Family(
    "blacksmith",
    "calibrate",
    (
        Prompt(
            "Welcome to my forge, traveller. What brings you here?",
            (
                "S I need a new {weapon} / mine broke ; in the fight ; with that troll",
                "Q can you make me | a {weapon} ; out of {metal}",
                "S um ~ someone at {place} | said | you could help me",
                "C show me | your best {weapon}",
                "S I'm looking for | my brother / he went to {place} ; three days ago",
            ),
            (
                "Ha, you have come to the right place. I have worked this anvil for thirty winters,"
                " and no blade of mine has ever failed. But good work costs good coin, my friend.",
                "Dark times, traveller. The road is full of thieves, and the wolves come closer"
                " every night. You will need more than courage out there.",
            ),
        ),
        Prompt(
            "And what can you pay me with?",
            (
                "S I have some gold / like | sixty coins / and & a ring",
                "Y gold",
                "S I can bring you {metal} ; from {place} / if & you wait | two days",
                "T well | I don't have much but",
                "Q how much | do you want",
            ),
            (
                "Hm, that is not much, but I like your face. Bring me some coal as well, and we"
                " have"
                " a bargain that your grandchildren will sing about.",
                "That will do. My apprentice will take your measure, and then we begin.",
            ),
        ),
        Prompt(
            "Do you know the way to the mine?",
            (
                "Y no",
                "Y yeah",
                "Y of course",
                "S I think so / you go past {place} / and & then | left at the bridge",
                "Q is it far ; from here",
            ),
            (
                "Then listen well. Follow the river until you see three black stones, and turn"
                " north"
                " there. Do not drink the water, and do not speak to the old woman.",
                "Good. Take a torch with you, for it is dark as the belly of a whale down there.",
            ),
        ),
        Prompt(
            "Will you take the quest?",
            ("Y yes", "Y I will", "Y sure", "Y okay", "S maybe later / I have to | rest first"),
            ("Brave heart! The village will remember this.",),
        ),
    ),
    "May your blade stay sharp. Farewell.",
)

_MATHS = Family(
    "maths robot",
    "calibrate",
    (
        Prompt(
            "Hi there! I am Pip, your maths robot. Are you ready to count with me?",
            (
                "Y yes",
                "Y yeah",
                "Y I'm ready",
                "S um ~ yes / but & I only know | up to {sum}",
                "Q can we play | with {toy}",
            ),
            (
                "Hooray! Today we count with things you like. I have a big bag here, and in the bag"
                " there are lots and lots of marbles.",
                "Great! You are going to be really good at this, I can tell already.",
            ),
        ),
        Prompt(
            "If you have seven {toy} and I give you five more, how many do you have?",
            (
                "Y {sum}",
                "S um ~ seven ; and five ; is | {sum}",
                "S eight nine ten - eleven - twelve = {sum}",
                "S I know / I know / it's {sum}",
                "T it's | um ~ maybe",
                "S wait @ I need | my fingers @ {sum}",
            ),
            (
                "You worked that out very nicely. Let us look at it together: we start with seven,"
                " then we take five more steps on the number line, and we land on twelve.",
                "Good thinking! Numbers are like steps on a ladder, and you just climbed five.",
            ),
        ),
        Prompt(
            "Can you tell me how you did that?",
            (
                "S I counted | on my fingers / and & then I | I had two left",
                "S because & five and five | is ten / and & two more",
                "Y I don't know",
                "S my mom | showed me / she said | you go to ten ; first",
            ),
            (
                "That is a clever way. Lots of people do it like that, and it works with big"
                " numbers"
                " too. Do you want to hear a secret about the number nine?",
                "Wow, you explained that so well that even a robot understood it.",
            ),
        ),
        Prompt(
            "Shall we do another one?",
            (
                "Y yes",
                "Y no",
                "Y one more",
                "S can we do | a hard one ; with minus",
                "S I'm tired / I want to | draw ; now",
            ),
            ("Okay! You did so well today.",),
        ),
    ),
    "Bye bye! See you next time.",
    children=True,
)

_WEATHER = Family(
    "small talk at home",
    "calibrate",
    (
        Prompt(
            "Hello again! How is your day going?",
            (
                "S pretty good / it's {weather} ; here / so & I stayed inside | mostly",
                "S oh you know / the usual / I got up late / and & made some {meal}",
                "Y fine thanks",
                "T it's okay I guess / I mean",
                "S not great / I slept badly / and & then | my sister called / and & we argued ;"
                " a bit",
            ),
            (
                "Thanks for telling me. Days like that are good for a long cup of tea and a book."
                " I always think the best plans are the ones you make at breakfast.",
                "I see. Sometimes it helps to go for a short walk, even if the sky looks grey.",
            ),
        ),
        Prompt(
            "What did you have for lunch?",
            (
                "Y {meal}",
                "S just | {meal} / I wasn't | that hungry",
                "S I had {meal} ; with my neighbour / she makes it | with ginger / it's so good",
                "Q um ~ {meal} / do you | eat anything",
            ),
            (
                "That sounds delicious. I cannot taste anything myself, but I know many recipes,"
                " and"
                " people tell me the one with lemon and thyme is worth a try.",
                "Lovely. A warm meal makes the afternoon shorter.",
            ),
        ),
        Prompt(
            "And what are your plans for tonight?",
            (
                "S I might do some {hobby} / or & just | watch something",
                "Y {hobby}",
                "Y nothing much",
                "S my friends | want to go out / but & I don't know / I'd rather | stay in",
                "T maybe {hobby} / or",
            ),
            (
                "Nice. It is good to have something to look forward to. If you like, I can remind"
                " you an hour before, or put on some music while you get ready.",
                "That sounds like a peaceful evening to me.",
            ),
        ),
    ),
    "It was nice talking to you. Bye for now.",
)

_PARCEL = Family(
    "parcel tracking",
    "held_out",
    (
        Prompt(
            "Swift Couriers, you're through to the help desk. What's the matter?",
            (
                "S good morning er ~ my {parcel} hasn't come / I've been waiting ; {since}",
                "S right so & your app says | my {parcel} was handed over / but & nobody | rang"
                " the bell",
                "S the {parcel} was {mishap} / and & I took | some photos / because & honestly |"
                " it's a mess",
                "Q where is | my {parcel} / it's been stuck ; {since}",
                "T er ~ there was a card ; through the door / saying | something about",
                "S I sent a {parcel} ; to {town} / {since} nothing moves / it just says |"
                " processing",
            ),
            (
                "That's not good, let me see what happened. Sometimes a van breaks down or a label"
                " gets wet, and then the sorting machine puts it aside until a colleague looks at"
                " it.",
                "Thanks for ringing. Most late items turn up within a day, and we search every"
                " depot"
                " on the route when they don't.",
            ),
        ),
        Prompt(
            "What does the tracking number say?",
            (
                "L it says {code}",
                "L bear with me @ right {code}",
                "L er ~ starts with {code}",
                "L {code} / got that",
                "L I wrote it down ; somewhere / just a sec @ {code}",
            ),
            (
                "Lovely, it has come up on my screen. It left the depot this morning, then went"
                " back"
                " because the driver could not find the entrance.",
                "I can see it now. It's been scanned four times in the same place, which is odd.",
            ),
            uses_tool=True,
        ),
        Prompt(
            "Which address was it going to?",
            (
                "L {address}",
                "L er ~ {address}",
                "L it was meant for my mum / so & {address}",
                "L {address} / it's the blue door / next to | the bakery",
            ),
            (
                "That matches the label. I'll ask the driver to try the side entrance, and I'll put"
                " a note on the item that it must not be left outside.",
                "Right, there's the mistake, the label has a different house on it.",
            ),
        ),
        Prompt(
            "When will somebody be in?",
            (
                "Y {time}",
                "Y {day}",
                "S either {day} ; {time} / or else & you could leave it ; with the neighbours",
                "S I work nights / so & mornings are bad / {time} should be alright",
                "T well {day} if | only I'm not sure whether",
            ),
            (
                "Fine, I've booked that slot. You'll receive a link where you can follow the van"
                " on a"
                " map, and it shows how many stops there are before yours.",
                "Okay, that's in the diary.",
            ),
            uses_tool=True,
        ),
        Prompt(
            "Could I take a number for the driver?",
            (
                "L {phone}",
                "L yeah go on / {phone}",
                "L it's er ~ {phone}",
                "L mine's broken / use my partner's / {phone}",
            ),
            ("Noted. They only ring if they cannot find you.",),
        ),
        Prompt(
            "Anything else on your mind?",
            (
                "Y nope",
                "Y that's everything",
                "Y I'm all set",
                "Q do I get | compensation / or what",
            ),
            ("Alright then.",),
        ),
    ),
    "Cheers, bye now.",
)

_CLINIC = Family(
    "clinic appointment",
    "held_out",
    (
        Prompt(
            "Riverside Clinic, reception speaking. What can we do for you?",
            (
                "S I was hoping | to see {doctor} / it's about {ache} / it started ; {since}",
                "S hello dear / my grandson drove me home ; yesterday / and & ever since | {ache}"
                " hurts",
                "Q any chance | of seeing {doctor} ; {day}",
                "S I need to move | my appointment / I can't make it ; {day} / because & of the"
                " trains",
                "T it's a bit embarrassing / I've got this | er ~ thing with",
                "C I need a repeat prescription / the usual tablets",
            ),
            (
                "You poor thing. We have a duty doctor every morning, and for anything urgent there"
                " is a walk-in hour from eight. Otherwise the first free slot is next week.",
                "No problem at all. Let me open the calendar, it is always a little slow before"
                " ten.",
            ),
            uses_tool=True,
        ),
        Prompt(
            "How would you describe the pain?",
            (
                "S sort of | stabbing / mainly ; when I bend down / then it fades",
                "S it comes and goes / nights are worse / although & this week | it's calmer",
                "Y dull",
                "Y quite bad",
                "S on a scale of ten | maybe six / no seven % definitely seven",
            ),
            (
                "Thank you, I will write that down for the doctor. If it gets worse before you"
                " come,"
                " please call the emergency line and do not wait.",
                "I understand. Keep it warm, and do not take more than two tablets a day.",
            ),
        ),
        Prompt(
            "What's your surname, and how is it spelled?",
            (
                "L {spelled}",
                "L er ~ {spelled}",
                "L that's {spelled} / everyone gets it wrong",
                "L {spelled} / double check it | would you",
            ),
            (
                "Thank you, I have your record here. It says your last visit was in autumn, and"
                " there"
                " is a note about new glasses.",
                "Found you.",
            ),
            uses_tool=True,
        ),
        Prompt(
            "Would {day} suit you?",
            (
                "Y yes that's fine",
                "Y sure",
                "Y no",
                "Y perfect",
                "S let me look | at my diary @ I could do | {time}",
                "S not really / my daughter | has her recital / what about | {day}",
            ),
            (
                "Good, then that is settled. Please bring your insurance card and a list of what"
                " you"
                " take, and come ten minutes early to fill in a form.",
                "Alright, let me change that.",
            ),
        ),
        Prompt(
            "Shall I send the details by e-mail?",
            (
                "L yes to {email}",
                "L please do / {email}",
                "Y no post is fine",
                "L er ~ {email} / all lower case",
            ),
            ("It should arrive within the hour.",),
        ),
    ),
    "Get well soon. Goodbye.",
)

_BANK = Family(
    "bank card",
    "held_out",
    (
        Prompt(
            "Welcome to Harbour Bank. Tell me in a few words why you're calling.",
            (
                "S someone used | my {card} / {merchant} took {amount} / and & I've never been"
                " there",
                "S I lost my {card} ; on the bus / at least | I believe so / can't find it ;"
                " anywhere",
                "S I'm trying | to send {amount} ; to {country} / but & it keeps | rejecting me",
                "C block my {card} / right now",
                "Q why was I charged | {amount} ; by {merchant}",
                "T something's off / with my statement / there's this payment to",
            ),
            (
                "I'm glad you called right away. Your money is safe with us: any payment you did"
                " not"
                " make is returned, usually in two working days, once you have signed a form.",
                "Let me take a look. To protect you I need to ask a few questions before I can open"
                " the account.",
            ),
        ),
        Prompt(
            "Please read me the last digits of the account.",
            (
                "L {phone}",
                "L okay they're {phone}",
                "L give me a moment @ it's dark in here @ {phone}",
                "L {phone} / should be right",
            ),
            (
                "Thank you, that's you. There were three payments this week, two of them by card"
                " and"
                " one as a standing order that goes out on the first of every month.",
                "Thanks, the account is open in front of me.",
            ),
            uses_tool=True,
        ),
        Prompt(
            "Do you recognise a payment of {amount}?",
            (
                "Y no",
                "Y yeah",
                "Y I do",
                "Y not at all",
                "S {amount} / hmm ~ could be {merchant} / my kid | uses it sometimes",
                "S no never / although & wait @ that might be | the subscription",
            ),
            (
                "Okay, then I will mark it. While we look into it the amount is credited to you,"
                " and"
                " you will not be charged any interest for it.",
                "I see. In that case nothing needs to be done about it.",
            ),
        ),
        Prompt(
            "Should I order a new card for you?",
            (
                "Y yes",
                "Y please",
                "Y no thank you",
                "S only if it's free / last time | you charged me | {amount}",
                "S okay but & send it ; to {address}",
            ),
            ("It's ordered and comes in a plain envelope.",),
            uses_tool=True,
        ),
    ),
    "Take care. Goodbye.",
)

_DOCK = Family(
    "dock master",
    "held_out",
    (
        Prompt(
            "Dock control here. State your business, captain.",
            (
                "S requesting permission | to land a {ship} / we've got {cargo} ; on board",
                "S listen / our engine blew ; near {port} / and & we're leaking | air",
                "Q is there a berth ; free / for a {ship}",
                "C open the hatch / hurry",
                "T we're carrying {cargo} and er ~ nothing | nothing else that",
                "S we came | from {port} / seven days / no % eight days without contact",
            ),
            (
                "Copy that, captain. The whole ring is crowded today since the fleet came in, so"
                " keep"
                " your speed low and your lights on. My crew will guide you with green beams.",
                "Understood. I do not like surprises on my dock, so you will be scanned first.",
            ),
        ),
        Prompt(
            "What is your registration?",
            (
                "L {code}",
                "L registration is {code}",
                "L hang on @ navigator has it @ {code}",
                "L {code} / out of | {port}",
            ),
            (
                "Registration confirmed. It says here that you owe us a fee from last season, which"
                " we may forget if you take a passenger for us.",
                "That checks out.",
            ),
            uses_tool=True,
        ),
        Prompt(
            "Anything dangerous on board?",
            (
                "Y negative",
                "Y no sir",
                "Y only {cargo}",
                "S depends on | who's asking / there's some {cargo} ; in the rear hold",
                "S a bit of fuel / plus & the cat / she bites",
            ),
            (
                "Very funny. Put it in writing, sign it with your thumb, and stay clear of the"
                " quarantine deck until a medic has looked at all of you.",
                "Good enough for me.",
            ),
        ),
        Prompt(
            "Do you want repairs while you are here?",
            (
                "Y affirmative",
                "Y yes",
                "Y nah",
                "S just the left thruster / it rattles ; whenever & we turn",
                "Q what would that cost",
            ),
            ("I will send my best mechanic.",),
        ),
    ),
    "Clear skies, captain. Control out.",
)

_ANIMALS = Family(
    "animal robot",
    "held_out",
    (
        Prompt(
            "Beep boop! I'm Momo, I know all the animals. Which one shall we talk about?",
            (
                "Y {animal}",
                "Y the {animal}",
                "S I like | the {animal} / because & it has {part}",
                "S er ~ my favourite is | the {animal} / no % the {animal}",
                "Q do you know | what a {animal} eats",
            ),
            (
                "Ooh, a wonderful choice! That one lives far away from here, and it can do"
                " something"
                " that no other animal can. It sleeps upside down when the sun is out.",
                "Yes yes yes! I have a story about one who wanted to see the snow.",
            ),
        ),
        Prompt(
            "What does it look like?",
            (
                "S it's big / and grey | with {part} / and & it's got | teeth",
                "S it has {part} / and er ~ {part} / and & also | fur",
                "Y I forgot",
                "S like this | look / oh | you can't see me",
                "T it's got like | these really",
            ),
            (
                "You have good eyes! Those help it to stay cool, because on hot days the blood goes"
                " there and the wind carries the heat away.",
                "Super! You could be a zoo keeper one day.",
            ),
        ),
        Prompt(
            "Where do you think it sleeps?",
            (
                "Y in a tree",
                "Y under water",
                "S maybe in a cave / with its babies / cause & they get scared",
                "S hmm ~ I saw one ; on TV / it was in a hole / a muddy one",
            ),
            (
                "What a nice idea! Some of them really do. Others build a little nest out of leaves"
                " and turn around three times before they lie down.",
                "Almost! It sleeps standing up.",
            ),
        ),
        Prompt(
            "Do you have a pet at home?",
            (
                "Y no",
                "Y yep",
                "S we've got {pet} / called | Biscuit / and & he's naughty",
                "S I want {pet} / but & my dad says | they smell",
                "Q can I get {pet} ; when & I'm six",
            ),
            ("Aww, that is sweet.",),
        ),
    ),
    "Beep! Time for my battery. Bye!",
    children=True,
)

_TRAVEL = Family(
    "small talk away",
    "held_out",
    (
        Prompt(
            "Hey, good to hear you! What have you been up to?",
            (
                "S we just got back ; from {country} / honestly | the food was incredible",
                "S mostly work / though & on Sunday | I tried {sport} / never again",
                "Y not much",
                "Y same old",
                "T I've been meaning | to tell you / there's this",
                "S learning to drive / finally / my instructor | yells all the time / but & I'm"
                " improving",
            ),
            (
                "That's quite something! I've read a lot about it, and people say the best moments"
                " come when you get lost and a stranger helps you find the way.",
                "Ha, I can imagine. New things are hard for about a week.",
            ),
        ),
        Prompt(
            "If you could go anywhere next summer, where would it be?",
            (
                "Y {country}",
                "Y {country} definitely",
                "S somewhere cold / {country} perhaps / I hate beaches / too much sand",
                "S either {country} ; or {country} / depends on | the flights",
                "Q hmm ~ where would | you go",
            ),
            (
                "A fine pick. In spring the prices are lower, the museums are empty, and you can"
                " see"
                " the northern lights if you are patient and dress warmly.",
                "I hope you get there.",
            ),
        ),
        Prompt(
            "Do you still do any sports?",
            (
                "Y some {sport}",
                "Y hardly",
                "S I used to do {sport} ; at school / then I hurt | my ankle / so & that was that",
                "S twice a week / {sport} on Mondays / and {sport} | with colleagues",
                "T {sport} now and then / whenever",
            ),
            (
                "Every little bit counts. They say ten minutes a day is better than two hours on a"
                " Sunday, and it's easier to keep up as well.",
                "That's more than most people do.",
            ),
        ),
    ),
    "Talk soon. Bye!",
)

ENGLISH = Grammar(
    language="en",
    families=(
        _SHOP,
        _TABLE,
        _PLAN,
        _SMITH,
        _MATHS,
        _WEATHER,
        _PARCEL,
        _CLINIC,
        _BANK,
        _DOCK,
        _ANIMALS,
        _TRAVEL,
    ),
    words=_WORDS,
    fills=_FILLS,
    tails={
        "calibrate": (
            "if & that's okay | with you",
            "and & that's why | I'm calling",
            "I already told | your colleague ; about it",
            "so & what happens | next",
            "sorry / I'm driving | so & it's a bit loud ; in here",
            "you know | what I mean",
            "it's for | my mother / she's not good ; with phones",
            "I hope | that helps",
            "is that alright",
            "and & could you hurry ; a little",
            "but um ~ no rush",
            "because & I need to know ; by {date}",
        ),
        "held_out": (
            "does that make sense",
            "just so you know / I'm away ; from {day}",
            "which is | rather annoying",
            "anyway / that's the long | and short of it",
            "though & I might be | mistaken",
            "can you manage that",
            "my other half | usually deals with this / not me",
            "I'd be grateful ; for any help",
            "otherwise & I'll have to | ring again",
            "er ~ yeah that's it",
            "unless & you've got | a better idea",
            "it's getting | on my nerves",
        ),
    },
    interruptions={
        "calibrate": (
            "stop",
            "no",
            "wait",
            "no wait",
            "wait wait",
            "sorry / can I just | ask something",
            "no no no / that's not | what I meant",
            "hold on @ did you say | next Friday",
            "yeah but & how much | does it cost",
            "actually | make it two of them",
            "okay I get it / what about | the other thing ; I asked",
            "excuse me / I only wanted | the first one / not both / and & I need it ; before June",
            "is that ; including tax",
            "no that's wrong / my name is | {spelled}",
            "can you say that | again",
        ),
        "held_out": (
            "stop",
            "no",
            "wait",
            "hang on",
            "stop stop",
            "enough",
            "let me interrupt you / I've already | tried that / twice",
            "hey listen / you misunderstood / it was {day}",
            "how long | will that take",
            "never mind / cancel it",
            "what do you mean | by that",
            "slow down / I can't write | that fast",
            "yes yes I know / skip to | the end ; please",
            "before you go on / there's another problem / somebody else | used my account ; in"
            " {town}",
            "who told you | that",
        ),
    },
    interruption_acks={
        "calibrate": (
            "Of course, go ahead.",
            "Sorry, let me put that right for you straight away.",
            "Sure, I have changed that, and the rest stays as it was.",
        ),
        "held_out": (
            "Right, I'm listening.",
            "My mistake. I've corrected it, nothing else is affected.",
            "Okay, understood, let's do it that way instead.",
        ),
    },
    side_talk={
        "calibrate": (
            "honey can you | get the door",
            "not now / I'm on the phone",
            "put that down please",
            "the blue one / no the other | blue one",
            "tell her I'll call back",
        ),
        "held_out": (
            "shoes off | in the hallway",
            "dinner's in | the oven",
            "who left the window open",
            "give it back | to your brother",
            "I'll be there in a minute",
        ),
    },
    television={
        "calibrate": (
            "and now the weather for the coming days with some sunshine in the east and rain moving"
            " in from the coast later on",
            "he passes to the left and what a chance that was just over the bar with four minutes"
            " left to play",
        ),
        "held_out": (
            "the minister said on Thursday that talks would continue while both sides agreed to"
            " publish a report before the vote",
            "add a spoonful of butter then let everything simmer gently until the sauce begins to"
            " thicken and stir once more",
        ),
    },
    backchannels=("mm-hm", "uh-huh", "yeah", "right", "okay", "mm", "I see", "sure", "yep"),
    fillers=("um", "uh", "er", "hmm"),
    repeatable=frozenset(
        "I it the a and to my we you he she is was that in on for of with but so".split()
    ),
)
