"""One page: the entries, newest first, and a form for one more."""

from django.http import HttpResponseRedirect
from django.shortcuts import render

from .forms import EntryForm
from .models import Entry


def guestbook(request):
    form = EntryForm(request.POST or None)
    if form.is_valid():
        form.save()
        return HttpResponseRedirect("?thanks")  # relative: right below any API stage or domain
    context = {"form": form, "entries": Entry.objects.all()[:100], "thanks": "thanks" in request.GET}
    return render(request, "entries/guestbook.html", context, status=400 if form.errors else 200)
