"""Shared by tests: access."""

RICH = """Some words and a [link in them](/contact/).

![A foot on sand](/images/sand.png)

## A heading

| Exercise | How often | How long | For whom |
| --- | :-: | --: | :-- |
| Short foot | three times a day | 10 minutes | whoever stands all day |

### A smaller one

    a line of code that is far longer than any telephone is wide and so has to be scrolled to be read to its end

> Words of another.

1. One
2. Two

A claim.[^1]

[^1]: Its ground.
"""
