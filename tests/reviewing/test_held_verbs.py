"""`pointsman held`, and the admin's routes for reviewers."""

import asyncio
import json

import pytest
from click.testing import CliRunner

from pointsman.cli import cli
from pointsman.client import Workspace
from pointsman.config import load
from pointsman.domain.records import BodyRef
from pointsman.domain.reviews import Held
from pointsman.workers.admin_held import AdminHeld

FILE = """
deployments:
  small: {model: qwen3-0.6b, base_url: http://127.0.0.1:1/v1}
journal: {path: facts}
"""
NOTHING = BodyRef(digest="", size=0)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pointsman.yaml").write_text(FILE)
    with Workspace.open(tmp_path / "pointsman.yaml") as workspace:
        desk = workspace.review_desk()
        for at in range(3):
            wanted = Held(
                id=f"held_{at}", trace=f"tr_{at}", tenant="acme", principal="web", surface="chat",
                why="amounts: look", made_us=at, expires_us=10**17, request=NOTHING,
                answer=NOTHING, persons=2 if at == 2 else 1,
            )  # fmt: skip
            answer = json.dumps({"choices": [{"message": {"content": f"{at} euros"}}]}).encode()
            asyncio.run(desk.keep(wanted, request=b'{"q": 1}', answer=answer, key=None))
    return tmp_path


def run(folder, *words):
    return CliRunner().invoke(cli, ["held", *words, "-c", str(folder / "pointsman.yaml")])


def test_the_verbs(folder):
    assert [row["id"] for row in json.loads(run(folder, "list", "--json").stdout)] == [
        "held_0", "held_1", "held_2",
    ]  # fmt: skip
    assert "amounts: look" in run(folder, "list").stdout
    assert "0 euros" in run(folder, "show", "held_0").stdout
    assert json.loads(run(folder, "show", "held_0", "--json").stdout)["answer"] == "0 euros"
    assert "is approved" in run(folder, "approve", "held_0").stdout
    assert "already decided" not in run(folder, "list").stdout
    again = run(folder, "approve", "held_0")
    assert "is approved" in str(again.exception)
    (folder / "new.txt").write_text("Call us.\n")
    words = ["edit", "held_1", "--text-file", str(folder / "new.txt"), "--json"]
    assert json.loads(run(folder, *words).stdout)["status"] == "edited"
    assert "Call us." in run(folder, "show", "held_1").stdout
    assert "1 of 2" in run(folder, "approve", "held_2", "--by", "ada").stdout
    assert json.loads(run(folder, "reject", "held_2", "--json").stdout)["status"] == "rejected"
    assert run(folder, "list").stdout.strip() == "nothing waits"
    assert len(json.loads(run(folder, "list", "--all", "--json").stdout)) == 3
    assert "no held answer" in str(run(folder, "show", "held_9").exception)
    assert "cannot be read" in str(
        run(folder, "edit", "held_1", "--text-file", str(folder / "none")).exception
    )


class Answered:
    """An exchange as far as the admin's routes need one."""

    def __init__(self, path, body=b""):
        self.request = self
        self.path, self.body = path, body

    def respond(self, status, head, body):
        self.said = json.loads(body)


class Ada:
    principal = "ada"
    person = "https://id.example#7"


def test_reviewers_decide_through_the_admin(folder):
    config = load(folder / "pointsman.yaml", env={})

    def opened():
        from pointsman.state import open_state

        return open_state(config.state_url)

    admin = AdminHeld(lambda: config, opened)
    routes = admin.routes

    async def ask(route, method, path, **body):
        exchange = Answered(path, json.dumps(body).encode())
        await routes[route][method](exchange, Ada())
        return exchange.said

    async def talk():
        listed = await ask("/admin/held", "GET", "/admin/held")
        assert [each["id"] for each in listed["data"]] == ["held_0", "held_1", "held_2"]
        shown = await ask("/admin/held/", "GET", "/admin/held/held_1")
        assert shown["answer"] == "1 euros"
        said = await ask("/admin/held/", "POST", "/admin/held/held_1", action="approve",
                         digest=shown["held"]["answer"]["digest"])  # fmt: skip
        assert (said["status"], said["decided_by"]) == ("approved", "admin:ada")
        assert said["approvals"][0]["principal"] == "https://id.example#7"
        with pytest.raises(Exception, match="not the answer that you read"):
            await ask("/admin/held/", "POST", "/admin/held/held_2", action="approve", digest="00")
        said = await ask("/admin/held/", "POST", "/admin/held/held_0", action="edit", text="x")
        assert said["status"] == "edited"
        for wrong in ({"action": "edit"}, {"action": "approve", "text": "x"}, {"action": "nod"}):
            with pytest.raises(Exception, match=r"text|nod"):
                await ask("/admin/held/", "POST", "/admin/held/held_2", **wrong)

    asyncio.run(talk())
    admin.close()
