"""Who asks: sessions of boto3, aioboto3 and aiobotocore, keyword credentials, or the default chain."""

from __future__ import annotations

import asyncio
from typing import Any

import aioboto3
import boto3
from aiobotocore.credentials import AioCredentials
from aiobotocore.session import AioSession
from botocore.credentials import RefreshableCredentials

from ssshelf.storages._aws_client import AWSOptions, ClientPool
from ssshelf.storages._dynamodb_client import DynamoDBPool

__all__ = ["DynamoDBMappingOptions", "client_pool"]


class DynamoDBMappingOptions(AWSOptions, total=False):
    """Where the table is and who asks: those of ``AWSOptions``, and what dynamodb_mapping calls them.

    Attributes:
        aws_region: The same as ``region_name``.
        aws_profile: A profile of the AWS configuration files.
    """

    aws_region: str
    aws_profile: str


def client_pool(session: Any, concurrency: int, options: DynamoDBMappingOptions) -> ClientPool:
    """Return the clients of a mapping.

    Raises:
        TypeError: There is no such option, or this is no session.
        ValueError: Options contradict each other, or one is missing.
    """
    if unknown := sorted(set(options) - set(DynamoDBMappingOptions.__annotations__)):
        known = ", ".join(sorted(DynamoDBMappingOptions.__annotations__))
        msg = f"there is no option {', '.join(unknown)}; there are {known}"
        raise TypeError(msg)
    settings: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if ("aws_access_key_id" in settings) != ("aws_secret_access_key" in settings):
        msg = "aws_access_key_id and aws_secret_access_key belong together: give both, or neither"
        raise ValueError(msg)
    if (profile := settings.pop("aws_profile", None)) is not None:
        if session is not None:
            msg = "a session has its profile: give aws_profile or a session"
            raise ValueError(msg)
        session = AioSession(profile=profile)
    if (region := settings.pop("aws_region", None)) is not None:
        settings["region_name"] = region
    if isinstance(session, boto3.Session) and not isinstance(session, aioboto3.Session):  # which is derived from it
        settings.setdefault("region_name", session.region_name)
        session = _borrowed(session)
    return DynamoDBPool(session, None, concurrency, AWSOptions(**settings))  # type: ignore[typeddict-item]


def _borrowed(session: boto3.Session) -> AioSession:
    """Return a session with the profile and the credentials of one of boto3, which may expire, as those of a role."""
    profile = session.profile_name  # "default" also where there are no profiles
    borrowed = AioSession(profile=profile if profile in session.available_profiles else None)
    borrowed.register_component("credential_provider", _Lender(session))
    return borrowed


class _Lender:
    """What aiobotocore asks for credentials, once for each client."""

    def __init__(self, session: boto3.Session) -> None:
        self._session = session

    async def load_credentials(self) -> AioCredentials | None:
        credentials = await asyncio.to_thread(self._session.get_credentials)
        if credentials is None or isinstance(credentials, RefreshableCredentials):
            return credentials and _Renewed(credentials)
        return AioCredentials(*credentials.get_frozen_credentials()[:3])


class _Renewed(AioCredentials):  # type: ignore[misc]  # aiobotocore is not typed
    """Credentials of boto3 that expire: each request asks for them anew, in a thread since they may be renewed then."""

    def __init__(self, credentials: RefreshableCredentials) -> None:
        super().__init__("", "")
        self._credentials = credentials

    async def get_frozen_credentials(self) -> Any:
        return await asyncio.to_thread(self._credentials.get_frozen_credentials)
