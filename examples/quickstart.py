"""Two children in a nursery, each asleep for a second: six lines, about one second."""

import trio


async def child_task(name: str, delay: float) -> None:
    print(f"{name}: started! Sleeping for {delay} seconds.")
    await trio.sleep(delay)
    print(f"{name}: exiting!")


async def main() -> None:
    print("main: started")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child_task, "child1", 1)
        nursery.start_soon(child_task, "child2", 1)
    print("main: all children exited")


trio.run(main)
