"""Set-up of an account: the application's data, then the holder's consent in a browser."""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import SOURCE_REAUTH, ConfigFlow, ConfigFlowResult

from stellantis_hal import AuthError, AuthorizationRequest, Brand, Scope, StellantisError

from .client import make_client

USER = vol.Schema(
    {
        vol.Required("brand"): vol.In([brand.value for brand in Brand]),
        vol.Required("client_id"): str,
        vol.Required("client_secret"): str,
        vol.Required("redirect_uri"): str,
    }
)
CONSENT = vol.Schema({vol.Required("redirect"): str})
SCOPES = [scope for scope in Scope if scope.startswith("data:")]


class CarsConfigFlow(ConfigFlow, domain="stellantis_cars"):
    """The flow of an account, and of its renewed consent."""

    VERSION = 1

    _data: dict[str, Any]
    _authorization: AuthorizationRequest | None = None

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the application's data."""
        if user_input is None:
            return self.async_show_form(step_id="user", data_schema=USER)
        self._data = user_input
        return await self.async_step_consent()

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Ask for the consent again."""
        self._data = {name: value for name, value in entry_data.items() if name != "token"}
        return await self.async_step_consent()

    async def async_step_consent(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the log-in page; read the address that was pasted, and test the account before it is set up."""
        errors = {}
        async with await make_client(self.hass, self._data) as client:
            enrolment = client.enrolment(brand=self._data["brand"])
            if self._authorization is None:
                self._authorization = enrolment.begin(redirect_uri=self._data["redirect_uri"], scope=SCOPES)
            if user_input is not None:
                try:
                    token = await enrolment.complete(self._authorization, user_input["redirect"], key="new")
                    user = await client.account(token, brand=self._data["brand"]).user()
                except AuthError:
                    errors["base"] = "invalid_auth"
                except StellantisError:
                    errors["base"] = "cannot_connect"
                else:
                    return await self._finish(user.email, {**self._data, "token": token.to_dict()})
        return self.async_show_form(
            step_id="consent",
            data_schema=CONSENT,
            description_placeholders={"url": self._authorization.url},
            errors=errors,
        )

    async def _finish(self, email: str | None, data: dict[str, Any]) -> ConfigFlowResult:
        await self.async_set_unique_id((email or "").lower())  # the API states no id of an account
        if self.source == SOURCE_REAUTH:
            self._abort_if_unique_id_mismatch(reason="wrong_account")
            return self.async_update_reload_and_abort(self._get_reauth_entry(), data=data)
        self._abort_if_unique_id_configured()
        return self.async_create_entry(title=data["brand"].title(), data=data)
