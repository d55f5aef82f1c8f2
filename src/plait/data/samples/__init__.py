"""Made data from documented simulators: what the demo, the tests and the guides run on. Nothing here is real."""

from plait.data.samples.applications import applications, applications_oracle
from plait.data.samples.biased import biased
from plait.data.samples.borrowers import borrowers, borrowers_oracle
from plait.data.samples.card_payments import card_payments, card_payments_windows
from plait.data.samples.charts import charts
from plait.data.samples.companies import companies, companies_oracle
from plait.data.samples.dossiers import dossiers, dossiers_oracle
from plait.data.samples.everything import everything
from plait.data.samples.films import films
from plait.data.samples.histories import payments, payments_oracle, payments_side
from plait.data.samples.loan_book import loan_book, loan_book_oracle
from plait.data.samples.loans import loans, loans_oracle
from plait.data.samples.meshes import meshes
from plait.data.samples.mixed import mixed
from plait.data.samples.planted import planted
from plait.data.samples.ratings import ratings, ratings_oracle
from plait.data.samples.rings import transfers, transfers_rings
from plait.data.samples.risks import risks, risks_oracle
from plait.data.samples.statements import statements, statements_oracle
from plait.data.samples.voices import voices, voices_oracle

__all__ = [
    "applications",
    "applications_oracle",
    "biased",
    "borrowers",
    "borrowers_oracle",
    "card_payments",
    "card_payments_windows",
    "charts",
    "companies",
    "companies_oracle",
    "dossiers",
    "dossiers_oracle",
    "everything",
    "films",
    "loan_book",
    "loan_book_oracle",
    "loans",
    "loans_oracle",
    "meshes",
    "mixed",
    "payments",
    "payments_oracle",
    "payments_side",
    "planted",
    "ratings",
    "ratings_oracle",
    "risks",
    "risks_oracle",
    "statements",
    "statements_oracle",
    "transfers",
    "transfers_rings",
    "voices",
    "voices_oracle",
]
