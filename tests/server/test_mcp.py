"""The official MCP client against /mcp of a running service."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.server.running import PICTURES, SCENE, Running, data_url

IMAGE = base64.b64encode(SCENE.read_bytes()).decode()


def talk(url: str, play: Callable[[Client], Any], key: str = "") -> Any:
    async def session() -> Any:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60, follow_redirects=True) as http,
            Client(streamable_http_client(f"{url}/mcp/", http_client=http)) as client,
        ):
            return await play(client)

    return asyncio.run(session())


def test_an_agent_uses_the_verbs(served: Running) -> None:
    async def play(client: Client) -> None:
        verbs = {tool.name for tool in (await client.list_tools()).tools}
        assert verbs >= {"list_concepts", "introduce", "recognize", "ask", "caption", "rename", "forget"}

        async def call(verb: str, **given: Any) -> Any:
            result = await client.call_tool(verb, given)
            assert not result.is_error, result.content
            told = result.structured_content
            return told.get("result", told)

        assert [one["name"] for one in await call("list_concepts")] == ["Bo"]
        assert (await call("recognize", image=IMAGE))[0]["name"] == "Bo"
        assert (await call("ask", question="Is Bo here?", image=data_url(SCENE)))["used"] == ["Bo"]
        assert (await call("ask", question="What is Bo?", names=[]))["used"] == []
        assert (await call("caption", image=IMAGE))["text"]
        made = await call("introduce", name="Pot", images=[data_url(PICTURES / "nanas-teapot-1.jpg")])
        assert made["name"] == "Pot"
        assert "Jug" in str(await call("rename", name="Pot", new_name="Jug"))
        await call("forget", name="Jug")
        wrong = await client.call_tool("recognize", {"image": IMAGE, "names": ["Nobody"]})
        assert wrong.is_error
        assert "Nobody" in wrong.content[0].text

    talk(served.url, play)


def test_an_agent_has_the_concepts_of_its_key(two_owners: tuple[Running, str, str]) -> None:
    served, anna, ben = two_owners

    async def names(client: Client) -> list[str]:
        told = (await client.call_tool("list_concepts", {})).structured_content
        return [one["name"] for one in told["result"]]

    assert talk(served.url, names, anna) == ["Bo"]
    assert talk(served.url, names, ben) == []
