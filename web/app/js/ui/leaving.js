// The bank takes this phone off. That it is off already is as good.

/** @param {import("../phone.js").Phone} phone */
export async function leaveBank(phone) {
  try {
    const own = (await phone.devices()).find((device) => device.this);
    if (own) await phone.revokeDevice(own.device);
  } catch (error) {
    if (/** @type {{ kind?: string }} */ (error).kind !== "no-such-device") throw error;
  }
}
