"""Loads what the offices hand in: regions, registration points, candidates, the plan catalogue, a calendar.

A file is read once, row by row, checked, and streamed into the database by COPY, all in one transaction.
Every bad place is reported with file, row, column and reason. Nothing is loaded unless the whole file is
good, or the operator says to take the good rows (`accept_good`).
"""

from admin.intake.loading.calendars import load_calendar
from admin.intake.loading.candidates import Year, load_candidates
from admin.intake.loading.offices import load_regions, load_schools
from admin.intake.loading.plans import load_plans
from admin.intake.loading.report import NotLoaded, Progress, Reject, Report

__all__ = [
    "NotLoaded",
    "Progress",
    "Reject",
    "Report",
    "Year",
    "load_calendar",
    "load_candidates",
    "load_plans",
    "load_regions",
    "load_schools",
]
