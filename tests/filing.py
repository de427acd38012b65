"""Filing as the pages do it: save the draft, ask, confirm with the codes asked."""

from app import drafts, preferences
from app.preferences import Answer, Filed, Origin
from tests.makers import Person, World, content


def file(world: World, person: Person, session_id: str, batch: str, *institutions: str) -> Filed:
    """File a list of these institutions in a batch; none: a waiver."""
    visitor = world.visitor(session_id)
    with world.database.transaction() as session:
        sheet = preferences.sheet(session, visitor, batch)
        version = sheet.draft_version
        if institutions:
            version = drafts.save(session, person.id, sheet.batch.id, content(*institutions), version)
    with world.database.transaction() as session:
        asked = preferences.ask(session, visitor, batch, "list" if institutions else "waiver", version)
    answer = Answer(asked.key, asked.digest, [person.code(index) for index in asked.asked])
    origin = Origin("127.0.0.1", "Test", "request", b"d" * 32)
    with world.database.transaction() as session:
        filed = preferences.confirm(session, visitor, batch, answer, origin, world.keys)
    assert isinstance(filed, Filed)
    return filed
