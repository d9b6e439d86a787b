"""`fablab member`: finding members, giving roles, shutting accounts."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.members.models import Audit
from tests.fixtures_cast import Cast
from tests.support.command_line import Fablab, refused


def test_adding_says_what_it_did_and_so_does_the_audit(fablab: Fablab, cast: Cast, session: Session) -> None:
    for said in ("is added as maker", "has an account already, and is maker"):
        assert (
            f"hind@example.org {said} (member "
            in fablab("member", "add", "hind@example.org", "--name", "H").output
        )
    given = fablab("member", "add", "HIND@example.org", "--name", "X", "--role", "trainer", "--lab", "tanger")
    assert "HIND@example.org has an account already, and is now trainer of tanger (member " in given.output
    acts = session.execute(select(Audit.action, Audit.detail).order_by(Audit.id)).all()
    assert [tuple(each) for each in acts] == [("member.add", "role maker"), ("role.grant", "role trainer")]
    assert "\tH\t" in fablab("member", "list", "hind").output


def test_members_are_listed_given_roles_and_shut(fablab: Fablab, cast: Cast) -> None:
    refused(fablab("member", "role", "add", "nobody@example.org", "maker"), "no such member")
    refused(fablab("member", "role", "remove", "admin@example.org", "admin"), "last administrator")
    refused(fablab("member", "role", "remove", "amina@example.org", "admin"), "no such role")
    refused(fablab("member", "deactivate", "admin@example.org"), "last administrator")
    given = fablab("member", "role", "add", "AMINA@example.org", "trainer", "--lab", "tanger")
    assert given.output.strip() == "AMINA@example.org is trainer of tanger"
    assert fablab("member", "deactivate", "amina@example.org").exit_code == 0
    amina = cast.members["amina"]
    listed = fablab("member", "list", "Amí", "example").output.rstrip("\n")
    assert listed == f"{amina}\tamina@example.org\tAmina\tmaker, trainer:tanger\tshut"
    assert fablab("member", "reactivate", "amina@example.org").exit_code == 0
    assert (
        fablab("member", "role", "remove", "amina@example.org", "trainer", "--lab", "tanger").exit_code == 0
    )
    assert "trainer" not in fablab("member", "list", "amina").output
    assert "there are more than 2" in fablab("member", "list", "--limit", "2").stderr
