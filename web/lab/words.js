// What the page says, in Persian and in English, and which of the two is spoken now.

const WORDS = {
  fa: {
    title: 'آزمایشگاه رمز',
    what: 'یک شبکه‌ی بانکی کامل، در یک برنامه روی همین رایانه. خرید کنید و ببینید رمز پویا چگونه از بانک به گوشی می‌رسد و هر پیام در راه چه می‌گوید.',
    clock: 'ساعت آزمایشگاه', plus30: '۳۰ ثانیه جلو', plus121: '۱۲۱ ثانیه جلو', plusday: 'یک روز جلو',
    step1: 'از فروشگاه چیزی بخرید، یا یکی از «خدمات» را برگزینید', step2: 'یک کارت آزمایشی بردارید',
    step3: '«درخواست رمز پویا» را بزنید', step4: 'پیامک را روی گوشی بخوانید', step5: 'رمز را بنویسید و بپردازید',
    ways: 'از کدام راه؟', way_sms: 'رمز پیامکی', way_app: 'رمز از برنامه',
    app1: 'در خودپرداز «فعال‌سازی برنامه‌ی رمزنگار» را بزنید و رسید را بردارید', app2: 'برنامه‌ی بانک را روی گوشی باز کنید',
    app3: 'دو نیمه‌ی کد را بنویسید: رسید و پیامک', app4: 'کارت را بیفزایید', app5: 'با رمز برنامه بپردازید',
    shop: 'فروشگاه', home: 'ویترین', newwindow: 'باز کردن در پنجره‌ی تازه',
    phone: 'گوشی دارنده‌ی کارت', onphone: 'روی این گوشی', app: 'برنامه', messages: 'پیامک‌ها', nosms: 'هنوز پیامکی نیامده است. رمزها این‌جا می‌رسند.',
    newsms: 'پیامک تازه از', code: 'رمز', copycode: 'رونوشت رمز', copied: 'رونوشت شد', goodfor: 'ثانیه اعتبار دارد', ranout: 'اعتبارش گذشت',
    wallet: 'کارت آزمایشی شما', copy: 'رونوشت', pan: 'شماره‌ی کارت', expiry: 'انقضا (سال/ماه)', mobile: 'موبایل', balance: 'موجودی (ریال)', state: 'وضعیت', bank: 'بانک',
    pick: 'برداشتن', picked: 'در دست شما',
    deck: 'همه‌ی کارت‌های آزمایشی', decksay: 'این کارت‌ها فقط در این آزمایشگاه وجود دارند. روی هر عدد بزنید تا رونوشت شود.',
    labjson: 'lab.json: همین آزمایشگاه، برای برنامه‌ها', directory: 'رمز پویای همه‌ی بانک‌ها، از مسیریاب همین آزمایشگاه',
    atm: 'خودپرداز', cashless: 'ترمینال شعبه‌ای', pos: 'پایانه‌ی فروش', atmsay: 'برداشت وجه و خرید با رمز اول؛ فعال‌سازی رمز پیامکی و برنامه، رفع قفل.',
    textto: 'به کد کوتاه', textwords: 'متن پیامک', sendtext: 'فرستادن', textexample: 'چهار رقم آخر کارت', textaway: 'پیامک نرفت: بانک به مرکز پیامک وصل نیست.', textlong: 'پیامک نرفت.', you: 'شما',
    trace: 'پیام‌ها، زنده', tracesay: 'هر خط یک پیام است؛ بازش کنید تا فیلدهایش را ببینید. هر چه راز است پوشیده می‌آید.',
    filter: 'جست‌وجو', upkeep: 'نگهداری پیوند', pause: 'ایست', resume: 'ادامه', clear: 'پاک کردن', grow: 'بزرگ', shrink: 'کوچک',
    quiet: 'این‌جا ساکت است. از فروشگاه چیزی بخرید تا گفت‌وگوی شبکه را ببینید.', nofields: 'این پیام فیلدی ندارد.',
    waiting: 'پیام تازه نگه داشته شد', live: 'وصل', dead: 'ارتباط با آزمایشگاه قطع است',
    tabphone: 'گوشی', tabcards: 'کارت‌ها', tabtrace: 'پیام‌ها', none: '—',
    lane_shop: 'فروشگاه', lane_page: 'صفحه‌ی پرداخت', lane_router: 'هریم', lane_switch: 'سوییچ', lane_bank: 'بانک', lane_host: 'میزبان کارت', lane_smsc: 'مرکز پیامک', lane_phone: 'گوشی',
    state_active: 'آماده', state_locked: 'قفل', state_nophone: 'بی‌موبایل', state_shared: 'موبایل مشترک', state_closed: 'بسته', state_other: '',
    hint_active: 'رمز پویا برای همین پرداخت به این موبایل پیامک می‌شود.',
    hint_shared: 'کارت دیگری هم همین موبایل را دارد؛ نام بانک در پیامک می‌گوید کدام کارت است.',
    hint_locked: 'این کارت قفل است. صفحه همان پاسخ همیشگی را می‌دهد، اما پیامکی نمی‌آید: پرسنده نباید بداند.',
    hint_nophone: 'بانک موبایلی از این کارت ندارد. صفحه همان پاسخ همیشگی را می‌دهد، اما پیامکی نمی‌آید.',
    hint_closed: 'این کارت بسته است.', hint_other: '',
  },
  en: {
    title: 'Ramz lab',
    what: 'A whole card network in one program on this computer. Buy something and watch its dynamic PIN travel from the bank to the phone, message by message.',
    clock: 'Lab clock', plus30: '+30 s', plus121: '+121 s', plusday: '+1 day',
    step1: 'Buy something in the shop, or choose one of its services', step2: 'Pick up a test card',
    step3: 'Press “Get dynamic PIN”', step4: 'Read the SMS on the phone', step5: 'Type the PIN and pay',
    ways: 'Which way?', way_sms: 'PIN by SMS', way_app: 'PIN from the app',
    app1: 'At the ATM press “Activate the app”, take the receipt', app2: 'Open the bank’s app on the phone',
    app3: 'Type both halves of the code: receipt and SMS', app4: 'Add your card', app5: 'Pay with the app’s PIN',
    shop: 'Shop', home: 'Shop front', newwindow: 'Open in a new window',
    phone: 'The cardholder’s phone', onphone: 'On this phone', app: 'App', messages: 'Messages', nosms: 'No SMS yet. PINs arrive here.',
    newsms: 'New SMS from', code: 'PIN', copycode: 'Copy the PIN', copied: 'Copied', goodfor: 's left', ranout: 'Ran out',
    wallet: 'Your test card', copy: 'Copy', pan: 'Card number', expiry: 'Expiry (YY/MM)', mobile: 'Mobile', balance: 'Balance (rial)', state: 'State', bank: 'Bank',
    pick: 'Pick up', picked: 'In your hand',
    deck: 'All test cards', decksay: 'These cards exist in this lab only. Press any number to copy it.',
    labjson: 'lab.json: this lab, for programs', directory: 'Dynamic PINs of all banks, from this lab’s own router',
    atm: 'ATM', cashless: 'Branch terminal', pos: 'POS terminal', atmsay: 'Pay with the first PIN; activate PINs by SMS or the app, unlock.',
    textto: 'To short code', textwords: 'Text', sendtext: 'Send', textexample: 'A card’s last four digits', textaway: 'Not sent: the bank is not bound to its operator.', textlong: 'Not sent.', you: 'You',
    trace: 'Messages, live', tracesay: 'Each line is one message; open it to see its fields. Whatever is secret is masked.',
    filter: 'Search', upkeep: 'link upkeep', pause: 'Pause', resume: 'Resume', clear: 'Clear', grow: 'Enlarge', shrink: 'Shrink',
    quiet: 'It is quiet here. Buy something in the shop to hear the network talk.', nofields: 'This message has no fields.',
    waiting: 'new messages held back', live: 'Connected', dead: 'The lab does not answer',
    tabphone: 'Phone', tabcards: 'Cards', tabtrace: 'Messages', none: '—',
    lane_shop: 'Shop', lane_page: 'Payment page', lane_router: 'Router', lane_switch: 'Switch', lane_bank: 'Bank', lane_host: 'Card host', lane_smsc: 'SMSC', lane_phone: 'Phone',
    state_active: 'Ready', state_locked: 'Locked', state_nophone: 'No mobile', state_shared: 'Shared mobile', state_closed: 'Closed', state_other: '',
    hint_active: 'A dynamic PIN for this one payment comes by SMS to this mobile.',
    hint_shared: 'Another card has the same mobile; the bank’s name in the SMS says which card it is.',
    hint_locked: 'This card is locked. The page answers as always, but no SMS comes: whoever asks must not learn it.',
    hint_nophone: 'The bank has no mobile for this card. The page answers as always, but no SMS comes.',
    hint_closed: 'This card is closed.', hint_other: '',
  },
};

const listeners = [];
let language = new URLSearchParams(location.search).get('lang') ?? localStorage.getItem('ramz-lab-lang');
if (!(language in WORDS)) language = 'fa';

export const spoken = () => language;
export const say = (key) => WORDS[language][key] ?? key;

/** Takes in the words of another page. */
export function learn(more) {
  for (const [code, words] of Object.entries(more)) Object.assign(WORDS[code], words);
  apply();
}

/** Calls `then` now, and after each change of language. */
export function spokenAgain(then) {
  listeners.push(then);
  then();
}

export function speak(next) {
  language = next;
  localStorage.setItem('ramz-lab-lang', language);
  apply();
  listeners.forEach((then) => then());
}

function apply() {
  document.documentElement.lang = language;
  document.documentElement.dir = language === 'fa' ? 'rtl' : 'ltr';
  document.title = say('title');
  for (const node of document.querySelectorAll('[data-say]')) node.textContent = say(node.dataset.say);
  for (const node of document.querySelectorAll('[data-say-label]')) node.ariaLabel = say(node.dataset.sayLabel);
  for (const node of document.querySelectorAll('[data-say-placeholder]')) node.placeholder = say(node.dataset.sayPlaceholder);
}

apply();
