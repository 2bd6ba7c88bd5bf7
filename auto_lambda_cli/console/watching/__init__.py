"""Who watches what for a page: each looks when it is asked, and returns what is new since it looked last."""
