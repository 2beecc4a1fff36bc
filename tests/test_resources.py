"""Data is found in a checkout, in an installed wheel, and in the operator's own folder where he replaced it."""

import subprocess
import sys
import zipfile

import pytest

from rekon import resources
from tests import house

FOLDERS = ("providers", "migrations", "config")


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    folder = tmp_path / "wheel" / "_data"
    folder.mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGED_DATA", folder)
    return folder


@pytest.fixture
def state_dir(tmp_path):
    (tmp_path / "state" / "providers" / "otomax").mkdir(parents=True)
    return tmp_path / "state"


def test_a_checkout_reads_the_folders_beside_the_source():
    assert resources.data_path("config") == house.ROOT / "config"


def test_an_installed_wheel_reads_its_own_copy(packaged):
    assert resources.data_path("providers", "iak") == packaged / "providers" / "iak"


def test_the_operators_provider_replaces_the_packaged_one_whole(packaged, state_dir):
    found = resources.data_path("providers", "otomax", "samples", state_dir=state_dir)
    assert found == state_dir / "providers" / "otomax" / "samples"
    assert resources.data_path("providers/otomax", state_dir=state_dir) == state_dir / "providers" / "otomax"


def test_a_provider_the_operator_left_alone_is_the_packaged_one(packaged, state_dir):
    assert resources.data_path("providers", "iak", state_dir=state_dir) == packaged / "providers" / "iak"
    assert resources.data_path("providers", state_dir=state_dir) == packaged / "providers"


def test_the_state_directory_replaces_providers_only(packaged, state_dir):
    (state_dir / "migrations" / "versions").mkdir(parents=True)
    found = resources.data_path("migrations", "versions", state_dir=state_dir)
    assert found == packaged / "migrations" / "versions"


@pytest.mark.parametrize("part", ["..", "otomax/../../secrets", "/etc", ""])
def test_a_name_cannot_climb_out_of_the_data(part):
    with pytest.raises(resources.UnsafeDataPathError):
        resources.data_path("providers", part)


def test_the_wheel_carries_the_data(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=house.ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("rekon/_data/")}
    expected = {
        f"rekon/_data/{house.named(path)}"
        for path in house.text_files()
        if any(path.is_relative_to(house.ROOT / folder) for folder in FOLDERS)
    }
    assert expected
    assert expected <= packed
