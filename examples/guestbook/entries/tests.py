from django.test import TestCase

from .models import Entry


class GuestbookTest(TestCase):
    def test_an_entry_shows_on_the_page(self):
        answer = self.client.post("/", {"name": "A guest", "text": "1 < 2"}, follow=True)
        self.assertContains(answer, "1 &lt; 2")
        self.assertContains(answer, "Thank you")

    def test_an_empty_entry_is_not_kept(self):
        answer = self.client.post("/", {"name": "A guest", "text": ""})
        self.assertContains(answer, "This field is required", status_code=400)
        assert not Entry.objects.exists()
