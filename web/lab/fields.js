// Who talks, over which wires, and what ISO 8583 fields are called in Persian (English names come with the messages).

import { say, spoken } from '/assets/words.js';

/** From the payer's side to the bank's, then back to the payer. */
export const LANES = ['shop', 'page', 'router', 'switch', 'bank', 'host', 'smsc', 'phone'];

export const WIRES = [['HTTP', 'http'], ['ISO 8583', 'iso'], ['SMPP', 'smpp'], ['SMS', 'text']];
export const wireClass = (wire) => WIRES.find(([name]) => name === wire)?.[1] ?? 'http';

/** The lane of a name as messages have it: `bank mellat`, `card host`, `page`; or none. */
export function laneOf(name) {
  const lower = name.toLowerCase();
  if (lower.includes('host')) return 'host';
  if (lower.startsWith('bank') || lower.startsWith('issuer')) return 'bank';
  if (lower === 'gateway') return 'page';
  if (lower === 'harim') return 'router';
  return LANES.find((lane) => lower.startsWith(lane));
}

/** A name for people: the lane's, with the bank's own. */
export function shownName(name, banks) {
  const lane = laneOf(name);
  if (!lane) return name;
  const bank = banks.find(({ id }) => name.toLowerCase().split(/[\s_-]+/).includes(id));
  if (lane === 'bank' && bank) return bankName(bank);
  return say(`lane_${lane}`);
}

export const bankName = (bank) => (spoken() === 'en' ? bank.name_en ?? bank.name : bank.name_fa ?? bank.name);

const PERSIAN = {
  2: 'شماره‌ی کارت', 3: 'کد پردازش', 4: 'مبلغ', 7: 'زمان ارسال', 11: 'شماره‌ی پیگیری (STAN)', 12: 'ساعت محلی', 13: 'تاریخ محلی',
  14: 'انقضای کارت', 18: 'صنف پذیرنده', 22: 'شیوه‌ی ورود', 25: 'شرایط پایانه', 32: 'بانک پذیرنده', 35: 'شیار ۲', 37: 'شماره‌ی مرجع (RRN)',
  38: 'کد تأیید', 39: 'کد پاسخ', 41: 'پایانه', 42: 'پذیرنده', 54: 'مانده‌ها', 43: 'نام پذیرنده', 48: 'داده‌ی افزوده', 49: 'ارز', 52: 'بلوک رمز',
  53: 'اطلاعات امنیتی', 64: 'کد اصالت (MAC)', 70: 'کد شبکه', 90: 'تراکنش اصلی', 95: 'مبلغ جایگزین', 102: 'حساب مبدأ', 103: 'مقصد', 128: 'کد اصالت (MAC)',
  amount: 'مبلغ', kind: 'نوع', order: 'سفارش', description: 'شرح', payment: 'پرداخت', state: 'وضعیت', rrn: 'شماره‌ی مرجع', pan: 'شماره‌ی کارت',
  payee: 'پذیرنده', origin: 'نشانی صفحه', asker: 'پرسنده', request: 'درخواست', type: 'گونه', detail: 'شرح',
};

/** `2 PAN` → number `2` and a name; `amount` → no number. */
export function fieldName(name) {
  const [, number, words] = /^(?:DE|F)?(\d{1,3})\b\s*(.*)$/.exec(name) ?? [null, '', name];
  const persian = spoken() === 'fa' ? PERSIAN[number || name] : undefined;
  return { number, words: persian ?? words };
}

const KINDS = {
  900000: ['فعال‌سازی برنامه', 'activate the app'], 910000: ['نمایش موبایل', 'show the mobile'], 911000: ['فعال‌سازی پیامکی', 'activate PINs by SMS'],
  920000: ['خاموشی برنامه', 'app off'], 921000: ['خاموشی پیامکی', 'PINs by SMS off'], 930000: ['رمز اول پویا', 'dynamic first PIN'], 931000: ['رمز اول ثابت', 'static first PIN'],
  940000: ['رفع قفل', 'unlock'], 950000: ['دستگاه‌ها', 'list devices'], 951000: ['حذف دستگاه', 'remove a device'],
  '00': ['خرید', 'purchase'], '01': ['برداشت', 'withdrawal'], 31: ['مانده', 'balance'], 40: ['انتقال وجه', 'transfer'], 50: ['قبض', 'bill'], 51: ['شارژ', 'top-up'],
};
const TAGS = {
  '01': ['CVV2', 'CVV2'], '02': ['رمز تأییدشده', 'PIN verified'], '03': ['شناسه‌ی قبض', 'bill id'], '04': ['شناسه‌ی پرداخت', 'payment id'], 15: ['علت رد', 'refusal'],
  10: ['متن صفحه', 'text to show'], 11: ['متن رسید', 'text to print'], 12: ['موبایل پوشیده', 'masked mobile'], 13: ['نیمه‌ی رسید', 'receipt half'], 14: ['گزینه', 'choice'],
  80: ['خط شارژشونده', 'charged phone'], 81: ['اپراتور', 'operator'],
};
const AMOUNTS = { '01': ['مانده‌ی حساب', 'account balance'], '02': ['قابل برداشت', 'available'] };

/** In the answer to "activate the app" the terminal is told where that is found. */
const APP_ADDRESS = ['نشانی برنامه', "the app's address"];

/** What the value of a field of a kind's own says, in words; or nothing. `kind`: field 3 of the same message. */
export function valueSays(number, value, kind) {
  const word = (pair) => pair?.[spoken() === 'fa' ? 0 : 1];
  if (number === '3') return word(KINDS[value] ?? KINDS[value.slice(0, 2)]) ?? '';
  if (number === '48') return [...value.matchAll(/(\d\d)=/g)].map(([, tag]) => word(tag === '80' && kind === '900000' ? APP_ADDRESS : TAGS[tag])).filter(Boolean).join(' · ');
  if (number === '54') {
    const amounts = [...value.matchAll(/\d\d(\d\d)364([CD])(\d{12})/g)];
    return amounts.map(([, type, sign, rial]) => `${word(AMOUNTS[type]) ?? type} ${sign === 'D' ? '−' : ''}${Number(rial).toLocaleString(spoken() === 'fa' ? 'fa-IR' : 'en')}`).join(' · ');
  }
  return '';
}

/** What a response code says; the table of refusals, in short. */
const CODES = {
  '00': ['پذیرفته شد', 'approved'], 12: ['تراکنش نامعتبر', 'invalid transaction'], 14: ['کارت ناشناس', 'no such card'], 30: ['خطای قالب', 'format error'],
  51: ['موجودی کافی نیست', 'insufficient funds'], 54: ['انقضا نادرست', 'wrong expiry'], 55: ['رمز نادرست', 'wrong PIN'], 57: ['نامجاز', 'not permitted'],
  59: ['رمز پرداخت دیگری', 'PIN of another payment'], 61: ['بیش از سقف', 'over a ceiling'], 65: ['بیش از حد', 'too often'], 75: ['قفل شد', 'PIN tries exceeded'],
  91: ['بانک پاسخ نمی‌دهد', 'issuer inoperative'], 94: ['تکراری', 'duplicate'], 96: ['خطای سامانه', 'malfunction'],
};
export const codeSays = (code) => CODES[code]?.[spoken() === 'fa' ? 0 : 1] ?? '';
