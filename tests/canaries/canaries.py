"""Values that must never leave, one or more of each class, and every form in which they could be seen again."""

import base64
import json
import re
from urllib.parse import quote

# Of people. Numbers that nobody has: reserved ranges, check digits right where the class has some.
PERSONAL = {
    "phone, wa_id": "5491155550173",
    "phone, Brazil without the ninth digit": "552155550174",
    "phone, Mexico": "5215555550175",
    "phone, written": "+54 9 11 5555-0176",
    "phone, in brackets": "(11) 95555-0177",
    "e-mail": "canario.uno@correo.example",
    "e-mail, with a tag": "canario+dos@correo.example",
    "CPF": "529.982.247-25",
    "CNPJ": "11.222.333/0001-81",
    "CUIT": "20-12345678-6",
    "RUT": "12.345.678-5",
    "CURP": "HEGG560427MVZRRL04",
    "card": "4111 1111 1111 1111",
    "address": "203.0.113.77",
    "wamid": "wamid.HBgNNTQ5MTE1NTU1MDE3MxUCABIYFDNBQzY3QjY4RTk0MkQ2QkE0RTNBAA==",
}
# Of ours. Shaped like the real ones, and none of them.
SECRET = {
    "Supabase": "sb_secret_" + "Ab1Cd2Ef3Gh4Ij5Kl6Mn7O" + "_" + "Pq8Rs9Tu",
    "access token": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcmlvIn0." + "c2lnbmF0dXJlLWNhbmFyaW8tMDEyMzQ1Njc4OQ",
    "Meta": "EAAG" + "canary7" * 18,
    "Mercado Pago": "APP_USR-1234567890123456-112233-" + "0123456789abcdef" * 2 + "-998877665",
    "Paddle": "pdl_live_apikey_" + "01canary" * 3 + "ab_" + "Canary0123456789canary" + "_AbC",
    "OpenAI": "sk-proj-" + "Canary0123456789" * 4,
    "AWS": "AKIACANARY2345674567",
    "in an URL": "https://canario:clave-canaria-91@interno.example/ruta",
    "by its name": "password=clave-canaria-92",
}
CANARIES = PERSONAL | SECRET
# As a customer could write it all, and as an error could repeat it.
TEXT = " ; ".join(CANARIES.values())


def forms_of(value: str) -> set[str]:
    """The value as it stands, its telling part, and both as URLs, JSON and base64 write them."""
    telling = {"in an URL": "clave-canaria-91", "by its name": "clave-canaria-92"}
    part = next((telling[name] for name, known in CANARIES.items() if known == value and name in telling), value)
    forms = {part, quote(part, safe=""), json.dumps(part)[1:-1], base64.b64encode(part.encode()).decode().rstrip("=")}
    digits = re.sub(r"\D", "", part)
    if value in PERSONAL.values() and len(digits) >= 9 and not re.search("[A-Za-z]", part):
        forms.add(digits)
    if part.startswith("wamid."):
        # Its tail may stay: it is what people trace by. What must not is the number in its head.
        forms = {part[: len(part) - 12], "NTQ5MTE1NTU1MDE3"}
    return forms


FORMS = {name: forms_of(value) for name, value in CANARIES.items()}


def seen_in(text: str) -> list[str]:
    """The names of the canaries that the text shows in any form."""
    return [name for name, forms in FORMS.items() if any(form in text for form in forms)]
