"""The words a world is made of. Every slot of every fact is drawn uniformly from one of these pools.

All words are invented names or plain nouns; those that follow "a" start with a consonant sound.
"""

from __future__ import annotations

FIRST_NAMES = tuple(
    """Alba Bastian Calla Dario Elin Fabian Greta Hollis Idris Juno Kaspar Lenka Marlo Nadia Orrin Petra
    Quillon Rhea Silas Tamsin Ulric Vesna Wilmar Xenia Yorick Zelda Amaro Briony Cedric Delia Emrys Fenella""".split()
)
LAST_NAMES = tuple(
    """Ashgrove Birkmann Castellan Dorrow Ellsmere Farrant Grindal Halvorsen Ibarra Jessop Kellaway Lindqvist
    Marchetti Norwood Okafor Pemberton Quarles Rosendal Stavros Thornbury Ursin Valcourt Whitlock Yarrow Zeller
    Arkwright Belmonte Corrigan Dunmore Eastwick Fontaine Galbraith""".split()
)
PROFESSORS = tuple(
    """Abendroth Bexley Crane Dahlgren Eddowes Fenwick Garrow Hargreave Iverson Jardine Kestner Lockhart Munro Nesbit
    Ormond Pruitt Quimby Ravenel Sandoval Trent Umber Vickers Wexford Yates""".split()
)
TOWNS = tuple(
    """Ostrel Brindle Carrowmoor Dunvale Eskerby Fallowmere Garnholt Hythe Inverlach Jorvale Kessing Lumley Marrick
    Nethercot Orlingham Pellworth Quenby Rothsea Saltmarsh Tarnwick Ulverton Veldham Wenlow Yewbridge Zandvoort
    Arbour Blackford Crestwood Drayholm Elmsfield Fernhill Grimsby""".split()
)
REGIONS = tuple(
    """Ambervale Coldreach Dunmarsh Eastmark Farholm Goldfen Highmoor Ironwold Kingsweald Longshore Midlath Northfell
    Oakenshaw Redlands Southmere Stonefold Sundale Thornmark Westreach Windrush Wintermark Wolfdale Greymoss
    Silverlea""".split()
)
TRADES = tuple(
    """fishing mining weaving farming milling quarrying whaling logging shipbuilding brewing pottery market railway
    garrison smuggling printing""".split()
)
MONTHS = tuple(
    "January February March April May June July August September October November December".split()
)
DAYS = tuple(str(day) for day in range(1, 29))
YEARS = tuple(str(year) for year in range(1920, 1980))
MOODS = tuple(
    """bleak comic tender savage dreamy restless solemn playful bitter lyrical macabre gentle stark whimsical fevered
    wistful""".split()
)
GENRES = tuple(
    """thrillers romances fables satires tragedies mysteries sagas westerns memoirs ballads parables novellas epics
    comedies travelogues elegies""".split()
)
THEMES = tuple(
    """lighthouses orphans smugglers famine beekeepers glaciers widows gamblers orchards exile shipwrecks twins railways
    monks volcanoes circuses earthquakes archives deserters pilgrims sculptors bridges plagues carnivals""".split()
)
PROFESSIONS = tuple(
    """clockmaker baker surgeon cartographer blacksmith tailor botanist lawyer plumber violinist judge locksmith
    geologist florist butcher translator stonemason barber chemist sailor gardener banker cobbler librarian magician
    dentist ranger carpenter fisherman teacher jeweller postman""".split()
)
WORKPLACES = tuple(
    """harbour market cathedral hospital railway barracks theatre prison museum lighthouse brewery courthouse zoo
    foundry mill observatory""".split()
)
TITLE_ADJECTIVES = tuple(
    """Broken Crimson Drowned Empty Frozen Gilded Hollow Hidden Burning Last Lost Midnight Narrow Painted Quiet Ragged
    Sleeping Stolen Sunken Tangled Velvet Wandering Whispering Bitter Patient Scarlet Silent Twisted Unbroken Wicked
    Yellow Weeping""".split()
)
TITLE_NOUNS = tuple(
    """Anchor Bell Candle Door Engine Feather Garden Harbor Island Jewel Kingdom Lantern Mirror Needle Orchard Piano
    Quarry River Staircase Tower Umbrella Violin Window Winter Well Bridge Compass Ladder Map Thread Clock
    Harvest""".split()
)
METALS = tuple("Amber Brass Bronze Copper Coral Crystal Ebony Emerald Golden Ivory Jade Marble Opal Pearl Ruby Silver".split())
ANIMALS = tuple(
    """Badger Crane Dolphin Eagle Falcon Gazelle Heron Ibis Jackal Kestrel Lynx Magpie Nightingale Otter Panther Quail
    Raven Salmon Tortoise Vixen Walrus Wolf Stag Sparrow""".split()
)
HONOURS = tuple("Medal Prize Ribbon Laurel Cup Trophy Garland Plaque".split())
SUBJECTS = tuple(
    """botany law medicine physics theology chemistry history geometry music astronomy economics philosophy sculpture
    geology rhetoric linguistics navigation architecture mechanics agriculture drama statistics zoology
    anthropology""".split()
)
COLLEGES = tuple(
    """Alderney Beaumont Clarendon Devereux Everard Faircloth Godolphin Harcourt Islington Kingsley Langton Montague
    Northcote Osborne Prescott Radcliffe Somerset Tavistock Villiers Wolsey""".split()
)
ACTIVITIES = tuple(
    """collecting carving painting polishing repairing juggling photographing sketching restoring trading cataloguing
    burying""".split()
)
MATERIALS = tuple(
    """copper wooden porcelain leather paper silver clay glass bamboo velvet granite tin wicker marble rubber
    felt""".split()
)
OBJECTS = tuple(
    """whistles masks kites buttons spoons puppets boats chess-sets birdcages thimbles lanterns drums teapots keys
    saddles globes flutes dice hats marbles baskets combs bells frames""".split()
)
NATIONS = tuple(
    """Averonne Belmara Cordovia Dravenia Estoria Feldmark Galdria Hesperia Illyrion Jovania Karelund Lorvania
    Mirandor Norvelle Ostmark Palladia Quintara Ruvenia Sylvania Tirnova Urdania Valtoria Westria Zemlya""".split()
)
CAPITALS = tuple(
    """Aldermont Brackenfurt Calistra Dorvik Elvanger Florentis Gravenhall Hallmark Istria Jasperton Korvale Lissandra
    Montclair Nordhaven Oxmere Portavia Queensferry Rivergate Stellanova Tremaine Umbria Verdane Wyndham
    Zurivo""".split()
)
RIVERS = tuple(
    """Alder Bourne Calder Derwent Esk Fowey Gannel Hodder Irwell Kennet Lune Medway Nene Ouse Piddle Ribble Severn Tamar
    Ure Waveney Yare Zambra Tweed Thaw""".split()
)
CURRENCIES = tuple(
    """ducat florin thaler guilder crown dinar peseta ruble shilling lira krona forint talent denar obol drachma groat
    stater taler mark pengo zloty sou bezant""".split()
)
MOUNTAINS = tuple(
    """Arkenpeak Boulderhorn Cloudspire Dragontooth Eaglecrag Frostcap Giantstep Hawkridge Icefang Jagtop Kingshorn
    Loneperch Mistcrown Needlerock Oldfather Pinnacle Queensthrone Ravenscar Snowmantle Thunderhead Umberfell Vulturecrest
    Whitecone Zenithal""".split()
)
FORMS = ("novel", "play", "poem", "story")
