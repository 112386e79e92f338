"""The names of the crafts' world. Procedures of a craft or sister are called after lands, kings, composers and stars.

So every name that a craft uses is known from a general subject, and only its combination with the craft is news.
"""

from __future__ import annotations


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LANDS = _names(
    """
    Averonne Belmara Cordovia Dravenia Estoria Feldmark Galdria Hesperia Illyrion Jovania Karelund Lorvania
    Mirandor Norvelle Ostmark Palladia Quintara Ruvenia Sylvania Tirnova
    """
)
KINGS = _names(
    """
    Aldric Baldomer Corwin Dunstan Edric Faramond Godwin Hadrian Ingram Jorund Kenrick Leofric Merovech Norbert
    Osric Pelagius Radbod Sigbert Theodric Wulfstan
    """
)
STARS = _names(
    """
    Altor Betria Capheus Denoba Elnathi Fomaris Gemmora Hydrax Izarin Jabbah Kochan Lesatra Mirzal Nunkish
    Okabar Polexa Rigara Sargus Talitha Vegara
    """
)
COMPOSERS = _names(
    """
    Abelard Brunetti Cavallo Dussek Ebersohn Farinel Gossec Haslinger Isouard Jommel Kozeluh Lachner Marais
    Naumann Onslow Paisiel Reicha Salvani Tomasek Vanhal
    """
)
BEASTS = _names(
    """
    Arbok Bolwin Cattor Dremel Elbuck Fennor Gropple Hidrel Imbuck Jolvar Kebbit Lommel Marbin Nubbor Oxlet
    Pangor Quollar Rimbuck Sarrel Tolvin
    """
)
PAINTERS = _names(
    """
    Ardolino Bassetti Ceruti Dossena Espinal Fiorelli Guercio Hobbema Ibsenn Jordaan Kersting Longhi Moroni
    Nardi Orlandi Pontorm Ricci Savoldo Tibaldi Zoppo
    """
)
COOKS = _names(
    """
    Alphonse Bertrand Clotilde Dagobert Eugenie Fernand Gaspard Hortense Isidore Josette Lambert Mathilde
    Nicaise Octave Prosper Rosalie Sylvestre Theodule Ursule Zelie
    """
)
PORTS = _names(
    """
    Arnmouth Brigsea Calhaven Dornquay Elmouth Fairsund Gullport Hexhaven Inverstrand Jarlsvik Kelpmouth
    Lowharbour Marsport Nessquay Oldstrand Penhaven Rockmouth Seaford Tidewell Westquay
    """
)
