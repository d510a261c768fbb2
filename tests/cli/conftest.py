"""Run a command in this process, and read the JSON it prints."""

import json

import pytest
from typer.testing import CliRunner

from napari_copnet.cli import app as application
from napari_copnet.cli import modules


@pytest.fixture(scope="session")
def app():
    if not application.registered_commands:
        for module in modules():
            module.add_to(application)
    return application


@pytest.fixture
def copnet(app):
    def call(*arguments):
        return CliRunner().invoke(app, [str(a) for a in arguments])

    return call


@pytest.fixture
def answer(copnet):
    def call(*arguments):
        done = copnet(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return call
