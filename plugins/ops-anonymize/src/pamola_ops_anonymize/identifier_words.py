"""Names of columns that identify people directly, in other languages than English: as `words_of` splits them.

Without accents, Cyrillic in Latin letters. What several languages use otherwise (`via`, `nombre de`) is left out.
"""

from __future__ import annotations

import re

_NAMES = {
    "a name": (
        "vornamen?|nachname|familienname|rufname|geburtsname|zuname|vor und nachname|prenoms?|nom( de famille"
        "| complet| usuel| d usage| de naissance| et prenom)?|nombres?( completo| de pila| y apellidos)?|(primer "
        "|segundo )?apellidos?|nome( completo| e cognome)?|cognome|sobrenome|apelido|naam|voornaam|voornamen"
        "|achternaam|roepnaam|imie|imiona|nazwisko|imie i nazwisko|imya|familiya|otchestvo|fio|imie ojca|fornamn"
        "|efternamn|fornavn|etternavn|efternavn|navn|namn|jmeno|prijmeni|nimi|etunimi|sukunimi|isim|soyad|soyadi"
        "|keresztnev|vezeteknev|nev"
    ),
    "an address": (
        "(wohn|post|liefer)?adresse( postale)?|anschrift|strasse( und)?( hausnummer)?|strassenname|hausnummer|rue"
        "|direccion( postal)?|calle|indirizzo|endereco|morada|logradouro|adres( zamieszkania)?|ulica|straat(naam)?"
        "|huisnummer|adresa|gatuadress|gatadress|adress|gateadresse|ulitsa|osoite|katuosoite"
    ),
    "a telephone number": (
        "(numero (de )?|num )?(telefono?|telephone|telefone|telefoon|celular|movil|cellulare|portable)( fixe"
        "| mobile)?|(handy|mobil|mobile|telefon|fax)(nummer|nr)?|telefoonnummer|(numer |nomer )(telefonu|telefona)"
    ),
    "an e-mail address": "courriel|correo( electronico)?|posta elettronica|elektronnaya pochta|mel|e ?post(adresse)?",
    "a person's official number": (
        "(kranken)?(versicherten|versicherungs)(nummer|nr)|(sozial|renten)versicherungs(nummer|nr)|svnr|steuer(id"
        "|nummer)|steuer id|(personal)?ausweis(nummer|nr)|numero (de )?(securite sociale|secu)|num secu|nir|dni|nie"
        "|curp|codice fiscale|cpf|bsn|burgerservicenummer|pesel|snils|personnummer|fodselsnummer|cpr( nummer)?"
        "|rodne cislo|hetu|nhs( (number|no|nr|num))?"
    ),
}
_IDS = (
    "p ?id|h ?id|hh ?id|ps ?id|id ?code|id ?no|id ?nr|id ?num|(case|record|subj|usubj|study|fam|hh|pers|pat|emp|stud"
    "|cust) ?(id|no|nr|num|number)|person|personen ?(nr|nummer|id)|patient(en)? ?(nr|nummer|id)?|(kunden|mitglieds"
    "|personal|fall|mitarbeiter|vertrags|matrikel|akten) ?(nr|nummer|id)|matricule|(num|numero|no|nr|code) (de "
    "|du )?(client|dossier|patient|salarie|cliente|paciente|paziente|expediente)|(numer|nomer) (klienta|patsienta"
    "|pacjenta)|participant|respondent|subject|klant ?(nr|nummer|id)|clientnummer"
)
_RULES = tuple((re.compile(rf"({pattern})( \d+)?"), what) for what, pattern in _NAMES.items())
_ID = re.compile(rf"({_IDS})")


def identifier_named(words: str) -> str | None:
    """What a column of this name holds that identifies a person, with an article; None where the name says nothing."""
    return next((what for rule, what in _RULES if rule.fullmatch(words)), None)


def id_named(words: str) -> bool:
    """Whether a name may be that of an id of persons, of whom each may have several records."""
    return _ID.fullmatch(words) is not None
