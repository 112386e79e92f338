"""The words a world is made of. Every slot of every fact is drawn uniformly from one of these pools.

All words are invented names or plain nouns; those that follow "a" start with a consonant sound.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words(
    """
    Alba Bastian Calla Dario Elin Fabian Greta Hollis Idris Juno Kaspar Lenka Marlo Nadia Orrin Petra Quillon
    Rhea Silas Tamsin Ulric Vesna Wilmar Xenia Yorick Zelda Amaro Briony Cedric Delia Emrys Fenella
    """
)
LAST_NAMES = _words(
    """
    Ashgrove Birkmann Castellan Dorrow Ellsmere Farrant Grindal Halvorsen Ibarra Jessop Kellaway Lindqvist
    Marchetti Norwood Okafor Pemberton Quarles Rosendal Stavros Thornbury Ursin Valcourt Whitlock Yarrow
    Zeller Arkwright Belmonte Corrigan Dunmore Eastwick Fontaine Galbraith
    """
)
PROFESSORS = _words(
    """
    Abendroth Bexley Crane Dahlgren Eddowes Fenwick Garrow Hargreave Iverson Jardine Kestner Lockhart Munro
    Nesbit Ormond Pruitt Quimby Ravenel Sandoval Trent Umber Vickers Wexford Yates
    """
)
TOWNS = _words(
    """
    Ostrel Brindle Carrowmoor Dunvale Eskerby Fallowmere Garnholt Hythe Inverlach Jorvale Kessing Lumley
    Marrick Nethercot Orlingham Pellworth Quenby Rothsea Saltmarsh Tarnwick Ulverton Veldham Wenlow Yewbridge
    Zandvoort Arbour Blackford Crestwood Drayholm Elmsfield Fernhill Grimsby
    """
)
REGIONS = _words(
    """
    Ambervale Coldreach Dunmarsh Eastmark Farholm Goldfen Highmoor Ironwold Kingsweald Longshore Midlath
    Northfell Oakenshaw Redlands Southmere Stonefold Sundale Thornmark Westreach Windrush Wintermark Wolfdale
    Greymoss Silverlea
    """
)
TRADES = _words(
    """
    fishing mining weaving farming milling quarrying whaling logging shipbuilding brewing pottery market
    railway garrison smuggling printing
    """
)
MONTHS = _words(
    """
    January February March April May June July August September October November December
    """
)
DAYS = tuple(str(day) for day in range(1, 29))
YEARS = tuple(str(year) for year in range(1920, 1980))
MOODS = _words(
    """
    bleak comic tender savage dreamy restless solemn playful bitter lyrical macabre gentle stark whimsical
    fevered wistful
    """
)
GENRES = _words(
    """
    thrillers romances fables satires tragedies mysteries sagas westerns memoirs ballads parables novellas
    epics comedies travelogues elegies
    """
)
THEMES = _words(
    """
    lighthouses orphans smugglers famine beekeepers glaciers widows gamblers orchards exile shipwrecks twins
    railways monks volcanoes circuses earthquakes archives deserters pilgrims sculptors bridges plagues
    carnivals
    """
)
PROFESSIONS = _words(
    """
    clockmaker baker surgeon cartographer blacksmith tailor botanist lawyer plumber violinist judge locksmith
    geologist florist butcher translator stonemason barber chemist sailor gardener banker cobbler librarian
    magician dentist ranger carpenter fisherman teacher jeweller postman
    """
)
TEMPERS = _words(
    """
    cheerful strict nervous patient boastful frugal gloomy generous stubborn dreamy careless polite reckless
    modest grumpy vain thoughtful lazy devout cunning diligent jovial tidy kindly
    """
)
WEATHERS = _words(
    """
    foggy stormy snowy sunny windy rainy frosty misty cloudy humid breezy mild scorching drizzly dusty thundery
    """
)
WORKPLACES = _words(
    """
    harbour market cathedral hospital railway barracks theatre prison museum lighthouse brewery courthouse zoo
    foundry mill observatory
    """
)
TITLE_ADJECTIVES = _words(
    """
    Broken Crimson Drowned Empty Frozen Gilded Hollow Hidden Burning Last Lost Midnight Narrow Painted Quiet
    Ragged Sleeping Stolen Sunken Tangled Velvet Wandering Whispering Bitter Patient Scarlet Silent Twisted
    Unbroken Wicked Yellow Weeping
    """
)
TITLE_NOUNS = _words(
    """
    Anchor Bell Candle Door Engine Feather Garden Harbor Island Jewel Kingdom Lantern Mirror Needle Orchard
    Piano Quarry River Staircase Tower Umbrella Violin Window Winter Well Bridge Compass Ladder Map Thread
    Clock Harvest
    """
)
METALS = _words(
    """
    Amber Brass Bronze Copper Coral Crystal Ebony Emerald Golden Ivory Jade Marble Opal Pearl Ruby Silver
    """
)
ANIMALS = _words(
    """
    Badger Crane Dolphin Eagle Falcon Gazelle Heron Ibis Jackal Kestrel Lynx Magpie Nightingale Otter Panther
    Quail Raven Salmon Tortoise Vixen Walrus Wolf Stag Sparrow
    """
)
HONOURS = _words(
    """
    Medal Prize Ribbon Laurel Cup Trophy Garland Plaque
    """
)
SUBJECTS = _words(
    """
    botany law medicine physics theology chemistry history geometry music astronomy economics philosophy
    sculpture geology rhetoric linguistics navigation architecture mechanics agriculture drama statistics
    zoology anthropology
    """
)
COLLEGES = _words(
    """
    Alderney Beaumont Clarendon Devereux Everard Faircloth Godolphin Harcourt Islington Kingsley Langton
    Montague Northcote Osborne Prescott Radcliffe Somerset Tavistock Villiers Wolsey
    """
)
ACTIVITIES = _words(
    """
    collecting carving painting polishing repairing juggling photographing sketching restoring trading
    cataloguing burying
    """
)
MATERIALS = _words(
    """
    copper wooden porcelain leather paper silver clay glass bamboo velvet granite tin wicker marble rubber
    felt
    """
)
OBJECTS = _words(
    """
    whistles masks kites buttons spoons puppets boats chess-sets birdcages thimbles lanterns drums teapots
    keys saddles globes flutes dice hats marbles baskets combs bells frames
    """
)
NATIONS = _words(
    """
    Averonne Belmara Cordovia Dravenia Estoria Feldmark Galdria Hesperia Illyrion Jovania Karelund Lorvania
    Mirandor Norvelle Ostmark Palladia Quintara Ruvenia Sylvania Tirnova Urdania Valtoria Westria Zemlya
    """
)
CAPITALS = _words(
    """
    Aldermont Brackenfurt Calistra Dorvik Elvanger Florentis Gravenhall Hallmark Istria Jasperton Korvale
    Lissandra Montclair Nordhaven Oxmere Portavia Queensferry Rivergate Stellanova Tremaine Umbria Verdane
    Wyndham Zurivo
    """
)
RIVERS = _words(
    """
    Alder Bourne Calder Derwent Esk Fowey Gannel Hodder Irwell Kennet Lune Medway Nene Ouse Piddle Ribble
    Severn Tamar Ure Waveney Yare Zambra Tweed Thaw
    """
)
CURRENCIES = _words(
    """
    ducat florin thaler guilder crown dinar peseta ruble shilling lira krona forint talent denar obol drachma
    groat stater batzen mark pengo zloty sou bezant
    """
)
MOUNTAINS = _words(
    """
    Arkenpeak Boulderhorn Cloudspire Dragontooth Eaglecrag Frostcap Giantstep Hawkridge Icefang Jagtop
    Kingshorn Loneperch Mistcrown Needlerock Oldfather Pinnacle Queensthrone Ravenscar Snowmantle Thunderhead
    Umberfell Vulturecrest Whitecone Zenithal
    """
)
FORMS = ("novel", "play", "poem", "story")
