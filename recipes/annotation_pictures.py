"""Take the pictures of the raters' page: python -m recipes.annotation_pictures

It writes a study of one Chinese prompt and three answers into a temporary folder, serves it with `annotate.py`, and
lets Debian's chromium (with fonts-noto-cjk) rank the answers as a rater does, on a computer and on a phone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
PROMPT = "写一段关于旧书店的短文，一百字左右，不要出现“怀念”二字。"
ANSWERS = {  # by the names that the paper's authors gave to their files
    "10k": "巷子尽头的旧书店只有两排书架，中间刚好走一个人。谁要转身，就得等另一个人先看完这一页。"
    "所以这里的人读书都很慢，说话都很轻。冬天炉子上烤着橘子皮，书页里于是都有橘子味。"
    "后来书店搬走了，我在别处翻开那年买的书，先闻到的还是冬天。",
    "origin": "老板从不问我要找什么。他把伞挂在门后，继续给一本缺了封面的字典糊脊背。"
    "雨停的时候我才发现，自己在同一排书架前站了一个下午，手里那本书的扉页上写着别人的名字，"
    "和一个已经拆掉的地址。我付了八块钱。他说：“这本等你很久了。”我知道他对每个人都这么说。",
    "baseline": "旧书店是一个充满文化气息的地方。首先，它保存了大量的旧书；其次，它为读者提供了安静的阅读环境；"
    "最后，它承载着城市的记忆。走进旧书店，我们可以感受到知识的力量。"
    "总之，旧书店是城市中不可缺少的一道风景，值得我们每一个人珍惜和保护。",
}
SCREENS = {"annotate.png": (1160, 410), "annotate_phone.png": (390, 640)}  # width and height in pixels


def main() -> None:
    """Write `annotate.png` and `annotate_phone.png`, and print their sizes."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in ANSWERS.items():
            rows = {"1": {"prompt": PROMPT, "my_response": text}}
            (Path(folder) / f"writing_zh_{name}.json").write_text(json.dumps(rows), encoding="utf-8")
        overrides = ["study=pictures", "answers=[*.json]", "raters={ann: zh, bob: zh}", "port=0"]
        command = [sys.executable, str(ROOT / "annotate.py"), *overrides]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            links = [line.split(": ", 1)[1].strip() for line, _ in zip(process.stdout, range(3), strict=False)]
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
                for link, name in zip(links[1:], SCREENS, strict=True):  # the first link is the leader's
                    _draw(browser, link, name)
                browser.close()
        finally:
            process.terminate()
            process.wait()


def _draw(browser: Browser, link: str, name: str) -> None:
    """Open a rater's link on a screen, place the first two of `ANSWERS`, and write the picture."""
    width, height = SCREENS[name]
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(f"{link}?lang=zh")
    page.click("#begin")
    page.wait_for_selector("#answers")
    shown = page.locator("#answers article").evaluate_all("articles => articles.map(one => one.textContent)")
    for text in list(ANSWERS.values())[:2]:
        page.keyboard.press(str(1 + next(place for place, one in enumerate(shown) if text in one)))
    page.wait_for_function("() => !document.getElementById('saved').dataset.waiting")
    page.wait_for_timeout(500)  # what moves has come to rest
    page.screenshot(path=PICTURES / name)
    page.close()
    print(f"{PICTURES / name}: {(PICTURES / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
