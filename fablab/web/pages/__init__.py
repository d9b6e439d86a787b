"""The pages people see. They enter through the same services as REST, and neither knows the other."""

from __future__ import annotations

from flask import Flask

from fablab.web.pages import (
    account,
    api_docs,
    audit,
    certificate,
    certifying,
    invitations,
    join,
    labs,
    links,
    machines,
    member,
    member_acts,
    member_consents,
    member_roles,
    members,
    my_bookings,
    my_certifications,
    my_data,
    organisation,
    organisation_people,
    organisation_settings,
    organisation_words,
    organisations,
    passkeys,
    projects,
    proof,
    providers,
    second_factor,
    security,
    sign_in,
    training,
    training_acts,
    training_form,
    trainings,
    utilisation,
)
from fablab.web.pages.assets import init_assets
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.content_policy import init_content_policy

__all__ = ["register"]
_VIEWS = (
    account,
    api_docs,
    audit,
    certificate,
    certifying,
    invitations,
    join,
    labs,
    links,
    machines,
    member,
    member_acts,
    member_consents,
    member_roles,
    members,
    my_bookings,
    my_certifications,
    my_data,
    organisation,
    organisation_people,
    organisation_settings,
    organisation_words,
    organisations,
    passkeys,
    projects,
    proof,
    providers,
    second_factor,
    security,
    sign_in,
    training,
    training_acts,
    training_form,
    trainings,
    utilisation,
)


def register(app: Flask) -> None:
    """Put every page, its assets and its content policy on the application."""
    init_assets(app)
    init_content_policy(app)
    app.register_blueprint(blueprint)
