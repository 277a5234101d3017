// What an ATM and a cashless terminal say, in Persian and in English. What the services are called and what response codes
// mean comes from the lab itself (`/terminal/menu`).

import { learn } from '/assets/words.js';

learn({
  fa: {
    atm: 'خودپرداز', cashless: 'ترمینال شعبه‌ای', back: 'آزمایشگاه و گوشی', ways: 'راه‌ها',
    hand: 'کارت‌های شما', handsay: 'کارتی را در دستگاه بگذارید. پیامک‌ها در آزمایشگاه، روی گوشی می‌رسند.',
    insert: 'گذاشتن کارت', firstpin: 'رمز اول', screen: 'صفحه‌ی دستگاه', pad: 'صفحه‌کلید', slot: 'شکاف کارت', eject: 'پس گرفتن کارت', receipt: 'رسید',
    key_cancel: 'انصراف', key_clear: 'اصلاح', key_enter: 'تأیید',
    idle_title: 'خوش آمدید', idle: 'کارت خود را در دستگاه بگذارید.',
    pin_title: 'رمز اول', pin: 'رمز اول کارت را وارد کنید، سپس «تأیید» را بزنید.', short: 'رمز دست‌کم چهار رقم است.', typed: 'رقم وارد شد',
    menu: 'خدمت مورد نظر را برگزینید.',
    wait_title: 'لطفاً شکیبا باشید', wait: 'از بانک کارت می‌پرسیم.',
    sure_title: 'مطمئن هستید؟', yes: 'بله', no: 'خیر',
    phone_title: 'شماره‌ی همراه شما', phone: 'آیا این شماره‌ی همراه شماست؟ رمزها به آن پیامک می‌شود.', phone_yes: 'بله، فعال شود', phone_no: 'خیر',
    phone_wrong: 'برای تغییر شماره‌ی همراه به شعبه‌ی بانک خود بروید.',
    choose: 'برای حذف، شماره‌ی دستگاه را وارد کنید و «تأیید» را بزنید.', nothing: 'دستگاهی نیست.',
    done_title: 'انجام شد', refused_title: 'انجام نشد', silent_title: 'بانک پاسخ نمی‌دهد',
    silent: 'بانک کارت پاسخ نمی‌دهد. شاید درخواست شما انجام شده باشد؛ کمی بعد دوباره بکوشید.',
    unknown: 'بانک این کارت در این شبکه نیست.', broken: 'دستگاه خراب است.',
    half: 'نیمه‌ی رسید کد فعال‌سازی', other_half: 'نیمه‌ی دیگر به تلفن همراه شما پیامک می‌شود. رسید را بردارید.',
    again: 'خدمت دیگر', leave: 'پایان، کارت را پس بده', card_out: 'کارت خود را بردارید.',
    receipt_card: 'کارت', receipt_time: 'زمان', receipt_service: 'خدمت', receipt_terminal: 'پایانه', keep: 'این رسید را به کسی نشان ندهید.', take: 'برداشتن رسید',
  },
  en: {
    atm: 'ATM', cashless: 'Branch terminal', back: 'Lab and phone', ways: 'Ways',
    hand: 'Your cards', handsay: 'Put a card into the machine. Texts come to the phone in the lab.',
    insert: 'Insert card', firstpin: 'First PIN', screen: 'The machine’s screen', pad: 'Keypad', slot: 'Card slot', eject: 'Take the card back', receipt: 'Receipt',
    key_cancel: 'Cancel', key_clear: 'Clear', key_enter: 'Enter',
    idle_title: 'Welcome', idle: 'Put your card into the machine.',
    pin_title: 'First PIN', pin: 'Type the card’s first PIN, then press Enter.', short: 'A PIN has four digits or more.', typed: 'digits typed',
    menu: 'Choose a service.',
    wait_title: 'Please wait', wait: 'Asking the card’s bank.',
    sure_title: 'Are you sure?', yes: 'Yes', no: 'No',
    phone_title: 'Your mobile', phone: 'Is this your mobile number? PINs will be sent to it.', phone_yes: 'Yes, activate', phone_no: 'No',
    phone_wrong: 'To change the mobile number, go to a branch of your bank.',
    choose: 'To remove a device, type its number and press Enter.', nothing: 'There is no device.',
    done_title: 'Done', refused_title: 'Not done', silent_title: 'The bank does not answer',
    silent: 'The card’s bank does not answer. It may have done what you asked; try again later.',
    unknown: 'This card’s bank is not in this network.', broken: 'The machine is out of order.',
    half: 'Receipt half of the activation code', other_half: 'The other half is texted to your mobile. Take the receipt.',
    again: 'Another service', leave: 'Finish, give back the card', card_out: 'Take your card.',
    receipt_card: 'Card', receipt_time: 'Time', receipt_service: 'Service', receipt_terminal: 'Terminal', keep: 'Show this receipt to nobody.', take: 'Take the receipt',
  },
});
